//! The built-in providers: one row each. A provider is added by a row here and a folder of its recorded bytes.
//!
//! Base URLs end where the route's path begins (`/chat/completions`). `{region}` is the target's region, `{UPPER_CASE}` the
//! variable of that name. Sources: the providers' API references.

use crate::domain::route;

/// Which wires a provider's routes speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Every route in OpenAI's shape.
    OpenAi,
    /// Anthropic Messages.
    Anthropic,
    /// Claude by InvokeModel, every other model by Converse.
    Bedrock,
    /// Claude by Anthropic Messages, every other model in OpenAI's shape.
    Azure,
    /// Claude by `rawPredict`, every other model in OpenAI's shape.
    Vertex,
}

/// How a key travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// No key is needed.
    None,
    /// `authorization: Bearer <key>`
    Bearer,
    /// `x-api-key: <key>`
    XApiKey,
    /// `api-key: <key>`
    ApiKey,
    /// AWS Signature Version 4, or a bearer when the key is a Bedrock API key.
    Aws,
    /// A bearer token, made from a service account's JSON key where the key is one.
    Google,
}

/// One built-in provider.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    pub base_url: &'static str,
    /// Where Anthropic Messages live, when that is elsewhere.
    pub messages_url: Option<&'static str>,
    pub dialect: Dialect,
    /// Names of the routes that it serves natively.
    pub routes: &'static [&'static str],
    pub scheme: Scheme,
    /// Alternatives, each a list of secrets that are needed together; the last is named when none is there.
    pub secrets: &'static [&'static [&'static str]],
    /// The region of a target that names none, and the variable that may set another.
    pub region: Option<(&'static str, &'static str)>,
}

const OPENAI_ALL: &[&str] = &[
    "chat",
    "responses",
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
const ANTHROPIC: &[&str] = &["messages", "count_tokens"];

/// What a document's `"dialect": "openai"` serves where it names no routes.
pub const OPENAI_ROUTES: &[&str] = OPENAI_ALL;
/// What a document's `"dialect": "anthropic"` serves where it names no routes.
pub const ANTHROPIC_ROUTES: &[&str] = ANTHROPIC;

/// The row that most others vary: OpenAI's shape under a bearer.
const fn compatible(
    name: &'static str,
    base_url: &'static str,
    routes: &'static [&'static str],
    secrets: &'static [&'static [&'static str]],
) -> Row {
    Row {
        name,
        base_url,
        messages_url: None,
        dialect: Dialect::OpenAi,
        routes,
        scheme: Scheme::Bearer,
        secrets,
        region: None,
    }
}

/// Every built-in provider.
pub static ROWS: [Row; 20] = [
    compatible("openai", "https://api.openai.com/v1", OPENAI_ALL, &[&["OPENAI_API_KEY"]]),
    Row {
        dialect: Dialect::Anthropic,
        scheme: Scheme::XApiKey,
        ..compatible("anthropic", "https://api.anthropic.com/v1", ANTHROPIC, &[&["ANTHROPIC_API_KEY"]])
    },
    Row {
        dialect: Dialect::Bedrock,
        scheme: Scheme::Aws,
        region: Some(("us-east-1", "AWS_REGION")),
        ..compatible(
            "bedrock",
            "https://bedrock-runtime.{region}.amazonaws.com",
            &[],
            &[&["BEDROCK_API_KEY"], &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]],
        )
    },
    Row {
        messages_url: Some("https://{AZURE_RESOURCE_NAME}.services.ai.azure.com/anthropic/v1"),
        dialect: Dialect::Azure,
        scheme: Scheme::ApiKey,
        ..compatible(
            "azure",
            "https://{AZURE_RESOURCE_NAME}.openai.azure.com/openai/v1",
            &[
                "chat",
                "responses",
                "embeddings",
                "completions",
                "images",
                "image_edits",
                "speech",
                "transcriptions",
                "translations",
            ],
            &[&["AZURE_API_KEY"]],
        )
    },
    compatible(
        "google",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        &["chat", "embeddings", "images"],
        &[&["GOOGLE_API_KEY"]],
    ),
    Row {
        dialect: Dialect::Vertex,
        scheme: Scheme::Google,
        region: Some(("global", "VERTEX_REGION")),
        ..compatible(
            "vertex",
            "https://{vertex_host}/v1/projects/{VERTEX_PROJECT}/locations/{region}",
            &["chat"],
            &[&["VERTEX_API_KEY"]],
        )
    },
    Row {
        messages_url: Some("https://api.deepseek.com/anthropic/v1"),
        ..compatible(
            "deepseek",
            "https://api.deepseek.com",
            &["chat", "responses", "messages"],
            &[&["DEEPSEEK_API_KEY"]],
        )
    },
    compatible(
        "nebius",
        "https://api.tokenfactory.nebius.com/v1",
        &["chat", "completions", "embeddings", "images"],
        &[&["NEBIUS_API_KEY"]],
    ),
    compatible(
        "deepinfra",
        "https://api.deepinfra.com/v1/openai",
        &["chat", "completions", "embeddings", "images", "speech", "transcriptions", "translations"],
        &[&["DEEPINFRA_API_KEY"]],
    ),
    compatible(
        "groq",
        "https://api.groq.com/openai/v1",
        &["chat", "responses", "speech", "transcriptions", "translations"],
        &[&["GROQ_API_KEY"]],
    ),
    compatible(
        "mistral",
        "https://api.mistral.ai/v1",
        &["chat", "embeddings", "moderations", "transcriptions"],
        &[&["MISTRAL_API_KEY"]],
    ),
    compatible(
        "together",
        "https://api.together.xyz/v1",
        &["chat", "completions", "embeddings", "images", "speech", "transcriptions", "translations"],
        &[&["TOGETHER_API_KEY"]],
    ),
    compatible(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        &["chat", "completions", "responses", "embeddings"],
        &[&["FIREWORKS_API_KEY"]],
    ),
    compatible("xai", "https://api.x.ai/v1", &["chat", "responses", "images"], &[&["XAI_API_KEY"]]),
    compatible(
        "openrouter",
        "https://openrouter.ai/api/v1",
        &["chat", "completions", "responses", "embeddings"],
        &[&["OPENROUTER_API_KEY"]],
    ),
    compatible("perplexity", "https://api.perplexity.ai", &["chat"], &[&["PERPLEXITY_API_KEY"]]),
    compatible("cerebras", "https://api.cerebras.ai/v1", &["chat", "completions"], &[&["CEREBRAS_API_KEY"]]),
    compatible("openpipe", "https://api.openpipe.ai/api/v1", &["chat"], &[&["OPENPIPE_API_KEY"]]),
    compatible(
        "cloudflare",
        "https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1",
        &["chat", "responses", "embeddings"],
        &[&["CLOUDFLARE_API_KEY"]],
    ),
    Row { scheme: Scheme::None, ..compatible("sim", "https://sim.invalid/v1", &route::NAMES, &[]) },
];

/// The row of a built-in provider.
pub fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// Whether a provider of that name is built in.
pub fn is_built_in(name: &str) -> bool {
    row(name).is_some()
}

/// The built-in provider whose secret this is.
pub fn owner_of_secret(secret: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| {
        let stem = secret.strip_suffix("_API_KEY").unwrap_or(secret);
        let own = format!("{}_API_KEY", row.name.to_ascii_uppercase());
        let regional = row.name == "azure" && stem.starts_with("AZURE_");
        own == secret || regional || row.secrets.iter().any(|together| together.contains(&secret))
    })
}
