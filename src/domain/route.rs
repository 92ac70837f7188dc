//! The routes of the API, and the families of clients that use them.

use wildmatch::WildMatch;

/// What a client calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    Chat,
    Responses,
    Messages,
    CountTokens,
    Embeddings,
    Completions,
    Moderations,
    ImagesGenerations,
    AudioSpeech,
    /// A multipart route, by its path after `/v1` (`/audio/transcriptions`, `/audio/translations`, `/images/edits`,
    /// `/images/variations`).
    Multipart(&'static str),
}

/// A family of clients: whose request, answer, stream and error shapes a route speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// OpenAI Chat Completions, and every other OpenAI route but Responses.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
}

/// The multipart routes, by their path after `/v1`.
pub const MULTIPART: [&str; 4] =
    ["/audio/transcriptions", "/audio/translations", "/images/edits", "/images/variations"];

/// The names of all routes, as rules, provider documents and the ledger use them.
pub const NAMES: [&str; 13] = [
    "chat",
    "responses",
    "messages",
    "count_tokens",
    "embeddings",
    "completions",
    "moderations",
    "images",
    "speech",
    "transcriptions",
    "translations",
    "image_edits",
    "image_variations",
];

/// The names of the routes that a text means: one by its name or its path, with or without `/v1` and the first slash; several by
/// a glob over these.
pub fn named(written: &str) -> Vec<&'static str> {
    let glob = WildMatch::new(written.strip_prefix('/').unwrap_or(written));
    let means = |route: &Route| {
        let path = route.path().trim_start_matches('/');
        glob.matches(route.name()) || glob.matches(path) || glob.matches(&["v1/", path].concat())
    };
    ALL.iter().filter(|route| means(route)).map(Route::name).collect()
}

/// What a path that is none was meant for: one of ours without its `/v1`, or with several.
pub fn meant(path: &str) -> Option<String> {
    let mut rest = path;
    while let Some(shorter) = rest.strip_prefix("/v1") {
        rest = shorter;
    }
    let known = Route::parse(rest).is_some() || matches!(rest, "/models" | "/report") || rest.starts_with("/models/");
    (known && path.strip_prefix("/v1") != Some(rest)).then(|| format!("/v1{rest}"))
}

/// 404, in words.
pub fn not_found(path: &str) -> String {
    let hint = meant(path).map(|meant| {
        format!("; did you mean {meant}? The base_url of OpenAI's SDKs ends in /v1, that of Anthropic's does not")
    });
    format!("there is no route {path}{}", hint.unwrap_or_else(|| "; the README lists them".to_owned()))
}

/// Every route, in the order of [`NAMES`].
const ALL: [Route; NAMES.len()] = [
    Route::Chat,
    Route::Responses,
    Route::Messages,
    Route::CountTokens,
    Route::Embeddings,
    Route::Completions,
    Route::Moderations,
    Route::ImagesGenerations,
    Route::AudioSpeech,
    Route::Multipart(MULTIPART[0]),
    Route::Multipart(MULTIPART[1]),
    Route::Multipart(MULTIPART[2]),
    Route::Multipart(MULTIPART[3]),
];

impl Route {
    /// The route of a `/v1` path, its `/v1` taken off.
    pub fn parse(path: &str) -> Option<Route> {
        Some(match path {
            "/chat/completions" => Route::Chat,
            "/responses" => Route::Responses,
            "/messages" => Route::Messages,
            "/messages/count_tokens" => Route::CountTokens,
            "/embeddings" => Route::Embeddings,
            "/completions" => Route::Completions,
            "/moderations" => Route::Moderations,
            "/images/generations" => Route::ImagesGenerations,
            "/audio/speech" => Route::AudioSpeech,
            other => return MULTIPART.into_iter().find(|known| *known == other).map(Route::Multipart),
        })
    }

    /// The path after `/v1`, as it is appended to a provider's base URL.
    pub const fn path(&self) -> &'static str {
        match self {
            Route::Chat => "/chat/completions",
            Route::Responses => "/responses",
            Route::Messages => "/messages",
            Route::CountTokens => "/messages/count_tokens",
            Route::Embeddings => "/embeddings",
            Route::Completions => "/completions",
            Route::Moderations => "/moderations",
            Route::ImagesGenerations => "/images/generations",
            Route::AudioSpeech => "/audio/speech",
            Route::Multipart(path) => path,
        }
    }

    /// Its name, one of [`NAMES`].
    pub const fn name(&self) -> &'static str {
        match self {
            Route::Chat => "chat",
            Route::Responses => "responses",
            Route::Messages => "messages",
            Route::CountTokens => "count_tokens",
            Route::Embeddings => "embeddings",
            Route::Completions => "completions",
            Route::Moderations => "moderations",
            Route::ImagesGenerations => "images",
            Route::AudioSpeech => "speech",
            Route::Multipart(path) => match path.as_bytes() {
                b"/audio/transcriptions" => "transcriptions",
                b"/audio/translations" => "translations",
                b"/images/edits" => "image_edits",
                _ => "image_variations",
            },
        }
    }

    /// Whose errors and streams the route speaks.
    pub const fn family(&self) -> Family {
        match self {
            Route::Responses => Family::Responses,
            Route::Messages | Route::CountTokens => Family::Messages,
            _ => Family::Chat,
        }
    }

    /// Whether answers can come as server-sent events that are inspected for content (the generation routes).
    pub const fn generates(&self) -> bool {
        matches!(self, Route::Chat | Route::Responses | Route::Messages | Route::Completions)
    }
}

impl Family {
    /// The name used in boundaries and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Chat => "chat",
            Family::Responses => "responses",
            Family::Messages => "messages",
        }
    }
}
