//! What each chat host takes beyond the common ground: data, by provider and model.

use crate::domain::dialect::conversation::Effort;
use crate::domain::provider::table;

/// What a host takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name of the cap on output tokens.
    pub max_tokens: &'static str,
    /// `stream_options` is understood.
    pub stream_options: bool,
    /// OpenAI's own fields: `metadata`, `store`, `prompt_cache_key`, `safety_identifier`, `verbosity`, every service tier.
    pub openai_fields: bool,
    /// PDFs as `file` parts.
    pub files: bool,
    pub top_k: bool,
    /// The most stop sequences.
    pub stops: usize,
    /// `user`: some hosts refuse what they do not know.
    pub user: bool,
    /// `reasoning_effort`, where the catalogue knows nothing of the model.
    pub effort: bool,
    /// Tools of type `custom`, which take text.
    pub custom_tools: bool,
}

const OPENAI: Host = Host {
    max_tokens: "max_completion_tokens",
    stream_options: true,
    openai_fields: true,
    files: true,
    top_k: false,
    stops: 4,
    user: true,
    effort: false,
    custom_tools: true,
};
const COMPATIBLE: Host = Host {
    max_tokens: "max_tokens",
    stream_options: true,
    openai_fields: false,
    files: false,
    top_k: false,
    stops: 4,
    user: true,
    effort: false,
    custom_tools: false,
};
const VLLM: Host = Host { top_k: true, ..COMPATIBLE };
/// What nobody knows of a host is tried.
const UNKNOWN: Host = Host { files: true, custom_tools: true, ..COMPATIBLE };

/// By provider name; every other one of our own table is [`COMPATIBLE`], and one of the owner's [`UNKNOWN`].
const TABLE: &[(&str, Host)] = &[
    ("openai", OPENAI),
    ("azure", OPENAI),
    ("google", Host { effort: true, ..COMPATIBLE }),
    ("vertex", Host { effort: true, ..COMPATIBLE }),
    ("deepseek", Host { stops: 16, ..COMPATIBLE }),
    ("deepinfra", VLLM),
    ("nebius", VLLM),
    ("together", VLLM),
    ("fireworks", VLLM),
    ("openrouter", Host { files: true, effort: true, ..VLLM }),
    ("mistral", Host { stream_options: false, user: false, ..COMPATIBLE }),
];

/// What a provider's host takes.
pub fn of(provider: &str) -> Host {
    let other = if table::ROWS.iter().any(|row| row.name == provider) { COMPATIBLE } else { UNKNOWN };
    TABLE.iter().find(|(name, _)| *name == provider).map_or(other, |(_, host)| *host)
}

/// OpenAI's reasoning models, which refuse sampling parameters and stops and call the system `developer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinker {
    No,
    /// o1, o3, o4: `low` is their least effort.
    O,
    /// gpt-5: from `minimal`.
    Gpt5,
    /// gpt-5.1 and later: from `none`, and at `none` with sampling.
    Later,
}

/// The strongest effort that a model of OpenAI's takes: `xhigh` since gpt-5.2 and for `codex-max`, else `high`.
pub fn strongest(model: &str) -> Effort {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let version: String = name.strip_prefix("gpt-").unwrap_or_default().chars().take_while(is_of_version).collect();
    let (major, minor) = version.split_once('.').unwrap_or((&version, "0"));
    match (major.parse::<u32>(), minor.parse::<u32>()) {
        _ if name.contains("codex-max") => Effort::Xhigh,
        (Ok(major), Ok(minor)) if (major, minor) >= (5, 2) => Effort::Xhigh,
        _ => Effort::High,
    }
}

const fn is_of_version(letter: &char) -> bool {
    letter.is_ascii_digit() || *letter == '.'
}

/// Which kind of reasoning model a name of OpenAI's is (on OpenAI, Azure or behind a router's prefix).
pub fn thinker(model: &str) -> Thinker {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
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
