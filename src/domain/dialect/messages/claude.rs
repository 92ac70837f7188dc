//! What each generation of Claude takes: data, checked against the provider's pages with every release.

/// How a model is asked to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinks {
    Never,
    /// `enabled` with a budget of tokens.
    Budget,
    /// `adaptive` with an effort.
    Adaptive,
}

/// Which sampling parameters a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    Any,
    /// `temperature` or `top_p`, not both.
    NotBoth,
    None,
}

/// What a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claude {
    /// The largest `max_tokens`.
    pub max_output: u64,
    /// `output_config.format` and `strict` tools.
    pub structured: bool,
    /// Those on Bedrock's InvokeModel too.
    pub structured_on_invoke: bool,
    pub thinks: Thinks,
    /// On Bedrock's InvokeModel, too, it thinks `adaptive`ly when a tool is forced.
    pub forced_on_invoke: bool,
    /// `output_config.effort`
    pub effort: bool,
    /// What it thinks is in its answer without being asked for.
    pub shows_thinking: bool,
    /// Thinking can be turned off.
    pub can_rest: bool,
    pub sampling: Sampling,
    pub xhigh: bool,
    /// The conversation may end with the beginning of the answer.
    pub prefill: bool,
    /// System messages may stand in the middle, right after a user's.
    pub mid_system: bool,
}

const NEWEST: Claude = Claude {
    max_output: 128_000,
    structured: true,
    structured_on_invoke: false,
    thinks: Thinks::Adaptive,
    forced_on_invoke: true,
    effort: true,
    shows_thinking: false,
    can_rest: true,
    sampling: Sampling::None,
    xhigh: true,
    prefill: false,
    mid_system: false,
};
const OPUS_4_8: Claude = Claude { mid_system: true, ..NEWEST };
const OPUS_4_7: Claude = Claude { forced_on_invoke: false, ..NEWEST };
const FABLE: Claude = Claude { can_rest: false, ..NEWEST };
const V4_6: Claude =
    Claude { sampling: Sampling::Any, xhigh: false, structured_on_invoke: true, shows_thinking: true, ..OPUS_4_7 };
const V4_5: Claude = Claude {
    max_output: 64_000,
    structured: true,
    structured_on_invoke: true,
    thinks: Thinks::Budget,
    forced_on_invoke: false,
    effort: false,
    shows_thinking: true,
    can_rest: true,
    sampling: Sampling::NotBoth,
    xhigh: false,
    prefill: true,
    mid_system: false,
};
const OPUS_4_5: Claude = Claude { effort: true, ..V4_5 };
const OPUS_4_1: Claude = Claude { max_output: 32_000, ..V4_5 };
const SONNET_4: Claude = Claude { structured: false, structured_on_invoke: false, sampling: Sampling::Any, ..V4_5 };
const OPUS_4: Claude = Claude { max_output: 32_000, ..SONNET_4 };
const V3_5: Claude = Claude { max_output: 8_192, thinks: Thinks::Never, ..SONNET_4 };
const V3: Claude = Claude { max_output: 4_096, ..V3_5 };
/// A model of another maker behind Anthropic's wire.
const OTHER: Claude = Claude { max_output: 8_192, ..SONNET_4 };

/// By a piece of the model's name, dots read as hyphens; the first that is found counts.
const TABLE: &[(&str, Claude)] = &[
    ("opus-5", OPUS_4_8),
    ("opus-4-8", OPUS_4_8),
    ("opus-4-7", OPUS_4_7),
    ("sonnet-5", NEWEST),
    ("sonnet-4-6", V4_6),
    ("opus-4-6", V4_6),
    ("opus-4-5", OPUS_4_5),
    ("sonnet-4-5", V4_5),
    ("haiku-4-5", V4_5),
    ("opus-4-1", OPUS_4_1),
    ("sonnet-4", SONNET_4),
    ("opus-4", OPUS_4),
    ("3-7-sonnet", SONNET_4),
    ("3-5-", V3_5),
    ("3-haiku", V3),
    ("3-opus", V3),
    ("3-sonnet", V3),
    ("fable", FABLE),
    ("mythos", FABLE),
];

/// What is known of a model by its name on the wire. An unknown Claude is taken for the newest.
pub fn of(model: &str) -> Claude {
    known(model).unwrap_or(if model.to_ascii_lowercase().contains("claude") { NEWEST } else { OTHER })
}

/// What is known of a Claude that stands in the table.
pub fn known(model: &str) -> Option<Claude> {
    let model = model.to_ascii_lowercase().replace('.', "-");
    let whole = |piece: &str, rest: &str| !piece.ends_with(|end: char| end.is_ascii_digit()) || !is_minor(rest);
    let named = |piece: &str| model.split_once(piece).is_some_and(|(_, rest)| whole(piece, rest));
    TABLE.iter().find(|(piece, _)| model.contains("claude") && named(piece)).map(|(_, claude)| *claude)
}

/// Whether what follows a version makes it a later one, and no date: `-9` does, `-0`, `-20250514` and `-v1` do not.
fn is_minor(rest: &str) -> bool {
    let digits: String = rest.strip_prefix('-').unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
    (1..=2).contains(&digits.len()) && !digits.trim_start_matches('0').is_empty()
}

/// Whether a model, by our name or by the wire's, is one of Anthropic's.
pub fn is_claude(model: &str) -> bool {
    let lower = model.to_ascii_lowercase();
    lower.contains("claude") || lower.starts_with("anthropic.")
}
