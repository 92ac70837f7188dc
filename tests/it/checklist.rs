//! What a gateway between families must get right, each with the test that holds it: traps that others have walked into.

use crate::docs::sources;

/// A case, and the tests of this suite that show it.
const CASES: &[(&str, &[&str])] = &[
    (
        "a tool without arguments",
        &["a_tool_without_arguments_has_an_empty_object", "a_call_without_arguments_ends_as_an_empty_object"],
    ),
    (
        "parallel tools, dense indices",
        &["parallel_tools_have_dense_indices", "a_call_with_a_strange_index_is_the_first"],
    ),
    (
        "text, then a tool, then text",
        &["text_then_tool_then_text_keeps_blocks_apart", "text_then_tool_then_text_is_three_items_in_sequence"],
    ),
    ("three results of tools become one turn", &["tool_results_are_one_user_turn_results_first"]),
    ("an image in a tool's result", &["an_image_in_a_tool_result_follows_in_a_user_message"]),
    ("a result without its call, a call without its result", &["missing_results_are_made_up_and_orphans_left_out"]),
    (
        "arguments that are no JSON",
        &["tool_results_are_one_user_turn_results_first", "every_conversation_suits_every_wire"],
    ),
    ("a system message in the middle", &["a_system_message_in_the_middle"]),
    ("an answer that was begun", &["a_begun_answer"]),
    ("an empty refusal", &["a_refusal_without_content_explains_itself"]),
    ("overloaded as first event of a 200", &["an_error_before_content_fails_the_target"]),
    (
        "an error after the commit",
        &["an_error_after_the_commit_is_passed_on_and_recorded", "a_broken_stream_gets_an_error_event_and_no_end"],
    ),
    (
        "cut off before the stop reason, and after it",
        &["truncated_before_the_reason_is_not_finished", "truncated_after_the_reason_is_finished"],
    ),
    ("message_start twice", &["a_second_message_start_begins_nothing"]),
    ("usage with a cache", &["usage_with_cache_counts_all_input"]),
    ("include_usage on and off", &["usage_comes_only_when_asked_for"]),
    ("thinking, then text", &["thinking_is_not_shown_but_is_progress"]),
    ("json_schema natively and by a tool", &["json_schema_natively_or_by_a_tool", "the_json_tool_becomes_text_again"]),
    ("n = 2, logprobs", &["what_would_be_missed_makes_the_hop_unfit"]),
    (
        "previous_response_id",
        &[
            "stateful_and_hosted_requests_skip_targets_of_other_families",
            "a_response_that_was_translated_here_cannot_be_continued",
        ],
    ),
    (
        "429 with and without retry-after, a spend limit",
        &["every_row_of_the_errors_holds", "how_long_an_upstream_asks_to_wait"],
    ),
    (
        "a Bedrock exception as first frame, and later",
        &[
            "a_bedrock_exception_as_first_frame_leaves_room_for_another_target",
            "a_bedrock_exception_may_come_after_any_frame",
        ],
    ),
    ("a stream split at every byte", &["every_cut_of_every_recorded_stream_of_events_reads_alike"]),
    ("a frame split at every byte", &["every_cut_of_every_recorded_stream_of_frames_reads_alike"]),
    (
        "a wrong checksum, a truncated frame",
        &["frames_that_are_damaged_or_cut_off_are_malformed_or_interrupted", "any_flipped_bit_is_found"],
    ),
    ("an unknown event", &["events_and_fields_that_nobody_knows_change_nothing"]),
    ("Azure's first chunk without choices", &["azure_begins_with_an_empty_chunk"]),
    ("a flood of keep-alive comments", &["a_flood_of_keep_alives_is_no_progress"]),
    ("Gemini's errors in a list", &["every_row_of_the_errors_holds"]),
    ("HTML under a 502", &["every_status_has_a_class"]),
    ("an SDK's own retry", &["a_request_that_its_sdk_sends_again_is_not_retried_here"]),
];

#[test]
fn every_case_has_its_test() {
    let tests = sources(&["tests/it"]);
    let missing = CASES.iter().flat_map(|(_, names)| *names).filter(|name| !tests.contains(&format!("fn {name}(")));
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}
