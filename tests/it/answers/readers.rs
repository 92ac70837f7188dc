//! Clients as their official SDKs read streams, written apart from the code under test: an event counts when its blank line has
//! come, an `error` raises, and what a stream adds up to is kept by index.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use understudy::domain::route::Family;

/// What a client made of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    pub text: String,
    pub refusal: String,
    pub reasoning: String,
    /// Id, name, and what it is called with.
    pub calls: Vec<(String, String, String)>,
    /// In the words of chat.
    pub finish: Option<String>,
    /// All input, of it cached, of it written to a cache, output, of it reasoning.
    pub usage: Option<[u64; 5]>,
    /// The stream's own end came.
    pub ended: bool,
    /// Why the SDK raised.
    pub raised: Option<String>,
}

impl Read {
    /// Whether the client takes it for a good answer.
    pub fn looks_finished(&self) -> bool {
        self.raised.is_none() && (self.ended || self.finish.is_some())
    }

    /// What was said, without how it ended.
    pub fn said(&self) -> (String, String, Vec<(String, String)>) {
        let calls = self.calls.iter().map(|(_, name, given)| (name.clone(), same_json(given))).collect();
        (self.text.clone(), self.refusal.clone(), calls)
    }
}

/// JSON without its blanks; other text as it is.
pub fn same_json(text: &str) -> String {
    serde_json::from_str::<Value>(text).map_or_else(
        |_| text.trim().to_owned(),
        |mut value| {
            value.sort_all_objects();
            value.to_string()
        },
    )
}

/// Name and data of every event that a blank line ended.
pub fn events(stream: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
    let (mut found, mut name, mut data) = (Vec::new(), String::new(), None::<String>);
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop();
    for line in lines {
        if line.is_empty() {
            if !name.is_empty() || data.is_some() {
                found.push((std::mem::take(&mut name), data.take().unwrap_or_default()));
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => name = value.to_owned(),
            "data" => data = Some(data.map_or_else(|| value.to_owned(), |so_far| format!("{so_far}\n{value}"))),
            _ => {}
        }
    }
    found
}

/// Reads a stream as a client of that family.
pub fn read(family: Family, stream: &[u8]) -> Read {
    let mut read = Read::default();
    let mut state = State::default();
    for (name, data) in events(stream) {
        if data.starts_with("[DONE]") {
            if family == Family::Chat {
                read.ended = true;
                break;
            }
            continue;
        }
        let Ok(event) = serde_json::from_str::<Value>(&data) else {
            read.raised = Some(format!("no JSON: {data}"));
            break;
        };
        if !matches!(event["error"], Value::Null | Value::Bool(false)) || name == "error" {
            read.raised = Some(data);
            break;
        }
        let done = match family {
            Family::Chat => chat(&mut read, &mut state, &event),
            Family::Messages => messages(&mut read, &mut state, &name, &event),
            Family::Responses => responses(&mut read, &mut state, &event),
        };
        if let Err(why) = done {
            read.raised = Some(why);
            break;
        }
    }
    read.calls = state.calls.into_values().collect();
    if family == Family::Responses && read.finish.as_deref() == Some("stop") && !read.calls.is_empty() {
        read.finish = Some("tool_calls".to_owned());
    }
    read
}

#[derive(Default)]
struct State {
    calls: BTreeMap<u64, (String, String, String)>,
    /// Of a message: its blocks by index, and whether each is closed. Of a response: its items.
    blocks: Vec<(Value, bool)>,
    usage: Map<String, Value>,
    started: bool,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value.as_f64().unwrap_or_default() as u64
}

fn chat(read: &mut Read, state: &mut State, chunk: &Value) -> Result<(), String> {
    if let Some(usage) = chunk["usage"].as_object() {
        let usage = json!(usage);
        let details = &usage["prompt_tokens_details"];
        let (prompt, completion) = (number(&usage["prompt_tokens"]), number(&usage["completion_tokens"]));
        let cached =
            details["cached_tokens"].as_f64().or(usage["prompt_cache_hit_tokens"].as_f64()).unwrap_or_default();
        let output = completion.max(number(&usage["total_tokens"]).saturating_sub(prompt));
        let reasoning = number(&usage["completion_tokens_details"]["reasoning_tokens"]);
        read.usage = Some([prompt, cached as u64, number(&details["cache_write_tokens"]), output, reasoning]);
    }
    for choice in chunk["choices"].as_array().into_iter().flatten() {
        if number(&choice["index"]) > 0 {
            continue;
        }
        let delta = &choice["delta"];
        read.text.push_str(text(&delta["content"]));
        read.text.push_str(text(&choice["text"]));
        read.refusal.push_str(text(&delta["refusal"]));
        read.reasoning.push_str(text(if delta["reasoning_content"].is_string() {
            &delta["reasoning_content"]
        } else {
            &delta["reasoning"]
        }));
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let known = state.calls.entry(number(&call["index"])).or_default();
            let kind = if call["custom"].is_object() { "custom" } else { "function" };
            for (into, value) in [(&mut known.0, &call["id"]), (&mut known.1, &call[kind]["name"])] {
                if into.is_empty() {
                    into.push_str(text(value));
                }
            }
            known.2.push_str(text(if kind == "custom" { &call[kind]["input"] } else { &call[kind]["arguments"] }));
        }
        if let Some(reason) = choice["finish_reason"].as_str().filter(|reason| !reason.is_empty()) {
            read.finish = Some(reason.to_owned());
        }
    }
    Ok(())
}

fn messages(read: &mut Read, state: &mut State, name: &str, event: &Value) -> Result<(), String> {
    let at = number(&event["index"]) as usize;
    if event["type"] == "message_start" {
        state.started = true;
        state.usage.extend(event["message"]["usage"].as_object().cloned().unwrap_or_default());
        return Ok(());
    }
    if event["type"] != "ping" && !state.started {
        return Err(format!("{name} before message_start"));
    }
    match text(&event["type"]) {
        "content_block_start" => {
            if at != state.blocks.len() {
                return Err(format!("block {at} begins where {} blocks are", state.blocks.len()));
            }
            state.blocks.push((event["content_block"].clone(), false));
            let block = &event["content_block"];
            read.text.push_str(text(&block["text"]));
            if block["type"] == "tool_use" {
                state.calls.insert(at as u64, (text(&block["id"]).into(), text(&block["name"]).into(), String::new()));
            }
        }
        "content_block_delta" => {
            let Some((block, _)) = state.blocks.get(at) else { return Err(format!("a delta of no block {at}")) };
            let (kind, delta) = (block["type"].clone(), &event["delta"]);
            read.text.push_str(text(&delta["text"]));
            read.reasoning.push_str(text(&delta["thinking"]));
            if kind == "tool_use"
                && let Some(call) = state.calls.get_mut(&(at as u64))
            {
                call.2.push_str(text(&delta["partial_json"]));
            }
        }
        "content_block_stop" => {
            let Some((block, closed)) = state.blocks.get_mut(at) else { return Err(format!("no block {at} to stop")) };
            *closed = true;
            let input = block["input"].clone();
            if let Some(call) = state.calls.get_mut(&(at as u64)).filter(|call| call.2.is_empty()) {
                call.2 = input.to_string();
            }
        }
        "message_delta" => {
            let usage = event["usage"].as_object().cloned().unwrap_or_default();
            state.usage.extend(usage.into_iter().filter(|(_, value)| !value.is_null()));
            read.finish = event["delta"]["stop_reason"]
                .as_str()
                .map(|reason| {
                    let word = match reason {
                        "tool_use" => "tool_calls",
                        "max_tokens" | "model_context_window_exceeded" => "length",
                        "refusal" => "content_filter",
                        _ => "stop",
                    };
                    word.to_owned()
                })
                .or_else(|| read.finish.clone());
        }
        "message_stop" => read.ended = true,
        _ => {}
    }
    let of = |name: &str| state.usage.get(name).map_or(0, number);
    let (read_, written) = (of("cache_read_input_tokens"), of("cache_creation_input_tokens"));
    let thinking = number(&json!(state.usage)["output_tokens_details"]["thinking_tokens"]);
    read.usage = Some([of("input_tokens") + read_ + written, read_, written, of("output_tokens"), thinking]);
    Ok(())
}

fn responses(read: &mut Read, state: &mut State, event: &Value) -> Result<(), String> {
    let kind = text(&event["type"]);
    if !state.started && kind != "response.created" {
        return Err(format!("{kind} before response.created"));
    }
    let at = number(&event["output_index"]);
    match kind {
        "response.created" => state.started = true,
        "response.output_item.added" => {
            let item = &event["item"];
            if at as usize != state.blocks.len() {
                return Err(format!("item {at} begins where {} items are", state.blocks.len()));
            }
            state.blocks.push((item.clone(), false));
            let given = match text(&item["type"]) {
                "function_call" => "arguments",
                "custom_tool_call" => "input",
                _ => return Ok(()),
            };
            state
                .calls
                .insert(at, (text(&item["call_id"]).into(), text(&item["name"]).into(), text(&item[given]).into()));
        }
        "response.output_item.done" => {
            let Some((known, closed)) = state.blocks.get_mut(at as usize) else { return Err(format!("no item {at}")) };
            (*known, *closed) = (event["item"].clone(), true);
            let given = if event["item"]["type"] == "custom_tool_call" { "input" } else { "arguments" };
            if let Some(call) = state.calls.get_mut(&at) {
                call.2 = text(&event["item"][given]).to_owned();
            }
        }
        "response.content_part.added" | "response.content_part.done" if state.blocks.get(at as usize).is_none() => {
            return Err(format!("a part of no item {at}"));
        }
        "response.output_text.delta" => read.text.push_str(text(&event["delta"])),
        "response.refusal.delta" => read.refusal.push_str(text(&event["delta"])),
        "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
            read.reasoning.push_str(text(&event["delta"]));
        }
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
            let Some(call) = state.calls.get_mut(&at) else { return Err(format!("arguments of no call {at}")) };
            call.2.push_str(text(&event["delta"]));
        }
        "response.completed" | "response.incomplete" => {
            let response = &event["response"];
            read.ended = true;
            read.finish = Some(match (text(&response["status"]), text(&response["incomplete_details"]["reason"])) {
                ("incomplete", "content_filter") => "content_filter".to_owned(),
                ("incomplete", _) => "length".to_owned(),
                _ => "stop".to_owned(),
            });
            let usage = &response["usage"];
            if usage.is_object() {
                let (input, output) = (&usage["input_tokens_details"], &usage["output_tokens_details"]);
                read.usage = Some([
                    number(&usage["input_tokens"]),
                    number(&input["cached_tokens"]),
                    number(&input["cache_write_tokens"]),
                    number(&usage["output_tokens"]),
                    number(&output["reasoning_tokens"]),
                ]);
            }
        }
        "response.failed" => return Err(event.to_string()),
        _ => {}
    }
    if text(&event["delta"]).is_empty()
        || state.blocks.get(at as usize).is_some_and(|(_, closed)| !closed)
        || kind.contains("error")
    {
        Ok(())
    } else {
        Err(format!("{kind} of an item that is not open: {at}"))
    }
}
