//! What each chat host takes beyond the common ground: data, by provider and model.

use crate::domain::dialect::conversation::Effort;
use crate::domain::dialect::ids::IdRule;
use crate::domain::dialect::messages::claude::is_claude;
use crate::domain::provider::table;

/// What a host takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name of the cap on output tokens.
    pub max_tokens: &'static str,
    /// `stream_options` is understood.
    pub stream_options: bool,
    /// OpenAI's own fields: `metadata`, `store`, `prompt_cache_key`, `verbosity`, every service tier.
    pub openai_fields: bool,
    /// PDFs as `file` parts.
    pub files: bool,
    pub top_k: bool,
    /// The most stop sequences.
    pub stops: usize,
    /// What the end user's id is called: some hosts refuse what they do not know.
    pub user: Option<&'static str>,
    /// `reasoning_effort`, where the catalogue knows nothing of the model.
    pub effort: bool,
    /// Tools of type `custom`, which take text.
    pub custom_tools: bool,
    /// Images by an address on the web.
    pub image_urls: bool,
    /// A tool's schema may not begin with a choice, and must say what is in its lists.
    pub plain_schemas: bool,
    /// Several texts as a list of parts: some models' hosts want one text where there is nothing but text.
    pub text_lists: bool,
}

const OPENAI: Host = Host {
    max_tokens: "max_completion_tokens",
    stream_options: true,
    openai_fields: true,
    files: true,
    top_k: false,
    stops: 4,
    user: Some("safety_identifier"),
    effort: false,
    custom_tools: true,
    image_urls: true,
    plain_schemas: true,
    text_lists: true,
};
/// Its dated versions refuse names that are younger than they are.
const AZURE: Host = Host { user: Some("user"), ..OPENAI };
const COMPATIBLE: Host = Host {
    max_tokens: "max_tokens",
    stream_options: true,
    openai_fields: false,
    files: false,
    top_k: false,
    stops: 4,
    user: Some("user"),
    effort: false,
    custom_tools: false,
    image_urls: true,
    plain_schemas: false,
    text_lists: false,
};
const VLLM: Host = Host { top_k: true, ..COMPATIBLE };
/// What nobody knows of a host is tried.
const UNKNOWN: Host =
    Host { openai_fields: true, files: true, effort: true, custom_tools: true, text_lists: true, ..COMPATIBLE };

/// By provider name; every other one of our own table is [`COMPATIBLE`], and one of the owner's [`UNKNOWN`].
const TABLE: &[(&str, Host)] = &[
    ("openai", OPENAI),
    ("azure", AZURE),
    ("google", Host { effort: true, plain_schemas: true, text_lists: true, ..COMPATIBLE }),
    ("vertex", Host { effort: true, image_urls: false, plain_schemas: true, text_lists: true, ..COMPATIBLE }),
    ("deepseek", Host { stops: 16, ..COMPATIBLE }),
    ("deepinfra", VLLM),
    ("nebius", VLLM),
    ("together", VLLM),
    ("fireworks", VLLM),
    ("openrouter", Host { files: true, effort: true, text_lists: true, ..VLLM }),
    ("mistral", Host { stream_options: false, user: None, ..COMPATIBLE }),
];

/// What a provider's host takes.
pub fn of(provider: &str) -> Host {
    let other = if table::ROWS.iter().any(|row| row.name == provider) { COMPATIBLE } else { UNKNOWN };
    TABLE.iter().find(|(name, _)| *name == provider).map_or(other, |(_, host)| *host)
}

/// The Groks that can be told how hard to think. The others think as they see fit and refuse the word, and on Vertex all do.
const DIALLED: [&str; 5] = ["grok-3-mini", "grok-4.3", "grok-4.5", "grok-4.6", "multi-agent"];

/// Whether a host refuses `reasoning_effort` for a model that reasons.
pub fn refuses_effort(provider: &str, model: &str) -> bool {
    let grok = matches!(provider, "xai" | "vertex") && model.to_ascii_lowercase().contains("grok");
    grok && (provider == "vertex" || !DIALLED.iter().any(|name| model.contains(name)))
}

/// Groks that reason.
const REASONING_GROKS: [&str; 3] = ["grok-3-mini", "grok-4", "grok-code"];

/// Whether a host refuses `stop` for a model, as all of OpenAI's that reason do.
pub fn refuses_stop(provider: &str, model: &str) -> bool {
    let of_xai = || REASONING_GROKS.iter().any(|name| model.contains(name)) && !model.contains("non-reasoning");
    thinker(model) != Thinker::No || provider == "xai" && of_xai()
}

/// What a host is told of the effort wanted: of a model that nobody knows, at a host that nobody knows, all is tried.
pub fn effort(provider: &str, model: &str, wanted: Effort) -> Effort {
    if of(provider) == UNKNOWN && thinker(model) == Thinker::No { wanted } else { nearest(model, wanted) }
}

/// The level nearest to the one wanted that a model takes: the small Grok knows none between low and high, and OpenAI's none
/// between none and low since gpt-5.1.
pub fn nearest(model: &str, wanted: Effort) -> Effort {
    match wanted.clamp(weakest(model), strongest(model)) {
        Effort::Medium if model.contains("grok-3-mini") => Effort::Low,
        Effort::Minimal if thinker(model) == Thinker::Later => Effort::Low,
        level => level,
    }
}

/// The weakest effort that a model takes: `none` since gpt-5.1, but where thinking is what it is for.
fn weakest(model: &str) -> Effort {
    let name = plain(model);
    match thinker(model) {
        Thinker::O | Thinker::No => Effort::Low,
        Thinker::Gpt5 if name.contains("-pro") => Effort::High,
        Thinker::Later if name.contains("-pro") => Effort::Medium,
        Thinker::Gpt5 | Thinker::Later if name.contains("codex") => Effort::Low,
        Thinker::Gpt5 => Effort::Minimal,
        Thinker::Later => Effort::None,
    }
}

/// What ids of calls must be.
pub fn ids(provider: &str, model: &str) -> IdRule {
    match is_mistral(provider, model) {
        true => IdRule::Mistral,
        false if model.to_ascii_lowercase().contains("kimi-k") => IdRule::Made,
        false => IdRule::Chat,
    }
}

/// Whether Mistral's rules hold, at its own API or in the template of a model of its: ids of calls are nine letters and digits,
/// and messages take turns.
fn is_mistral(provider: &str, model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    provider == "mistral" || NAMES_OF_MISTRAL.iter().any(|name| model.contains(name))
}

const NAMES_OF_MISTRAL: [&str; 7] =
    ["mistral", "mixtral", "ministral", "devstral", "magistral", "codestral", "pixtral"];

/// Whether a host refuses messages that do not take turns.
pub fn insists_on_order(provider: &str, model: &str) -> bool {
    provider == "perplexity" || is_mistral(provider, model)
}

/// The name of the cap on output tokens for a model: that of its host, but for OpenAI's reasoning models, which refuse the old one.
pub fn max_tokens(provider: &str, model: &str) -> &'static str {
    match thinker(model) {
        Thinker::No => of(provider).max_tokens,
        Thinker::O | Thinker::Gpt5 | Thinker::Later => OPENAI.max_tokens,
    }
}

/// OpenAI's reasoning models, which refuse sampling parameters and stops and call the system `developer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinker {
    No,
    /// o1, o3, o4
    O,
    Gpt5,
    /// gpt-5.1 and later: at effort `none` with sampling.
    Later,
}

/// Whether a model's name tells what it takes.
pub fn tells(provider: &str, model: &str) -> bool {
    is_claude(model) || thinker(model) != Thinker::No || ids(provider, model) != IdRule::Chat
}

/// The strongest effort that a model of OpenAI's takes: `max` since gpt-5.6, `xhigh` since gpt-5.2 and for `codex-max`, else `high`.
fn strongest(model: &str) -> Effort {
    let name = plain(model);
    match version(&name) {
        Some(version) if version >= (5, 6) => Effort::Max,
        _ if name.contains("codex-max") => Effort::Xhigh,
        Some(version) if version >= (5, 2) => Effort::Xhigh,
        Some(_) | None => Effort::High,
    }
}

/// Kinds of OpenAI's models that it serves on Responses alone.
const NOT_ON_CHAT: [&str; 4] = ["codex", "-pro", "deep-research", "computer-use"];

/// Whether a model of OpenAI's is better spoken to in the words of Responses: on Chat it is not there, or, since gpt-5.4, takes no
/// tools while it reasons.
pub fn wants_responses(model: &str) -> bool {
    let name = plain(model);
    let is_later = thinker(&name) == Thinker::Later && version(&name).is_some_and(|version| version >= (5, 4));
    is_later || NOT_ON_CHAT.iter().any(|kind| name.contains(kind))
}

/// A model's name without a router's prefix.
fn plain(model: &str) -> String {
    model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase()
}

/// The version in the name of a GPT.
fn version(name: &str) -> Option<(u32, u32)> {
    let version: String = name.strip_prefix("gpt-")?.chars().take_while(is_of_version).collect();
    let (major, minor) = version.split_once('.').unwrap_or((&version, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

const fn is_of_version(letter: &char) -> bool {
    letter.is_ascii_digit() || *letter == '.'
}

/// Which kind of reasoning model a name of OpenAI's is (on OpenAI, Azure or behind a router's prefix).
pub fn thinker(model: &str) -> Thinker {
    let name = plain(model);
    if ["o1", "o3", "o4"].iter().any(|known| name == *known || name.starts_with(&format!("{known}-"))) {
        return Thinker::O;
    }
    let Some(version) = name.strip_prefix("gpt-") else { return Thinker::No };
    let major: String = version.chars().take_while(char::is_ascii_digit).collect();
    match (major.parse::<u32>(), version.strip_prefix(&major)) {
        _ if version.contains("-chat") => Thinker::No,
        (Ok(5), Some(rest)) if !rest.starts_with('.') => Thinker::Gpt5,
        (Ok(major), _) if major >= 5 => Thinker::Later,
        _ => Thinker::No,
    }
}
