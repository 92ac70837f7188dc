//! Providers: where a target's calls go, in which wire, and with whose key.
//!
//! The built-in ones are rows of `table.rs`; KV `provider:<name>` adds or overrides one (`document.rs`). What a document does
//! not say of a built-in provider stays as its row has it.
//!
//! | variable | for | meaning |
//! | --- | --- | --- |
//! | `AZURE_RESOURCE_NAME` | `azure` | the resource in `https://<resource>.openai.azure.com`; for `@region`, `AZURE_RESOURCE_NAME_<REGION>` |
//! | `AZURE_API_VERSION` | `azure` | a dated version: calls go to `/openai/deployments/<model>/...?api-version=`, not to v1; Responses stay there |
//! | `AWS_REGION` | `bedrock` | region of a target that names none, and of `@global`; default `us-east-1` |
//! | `VERTEX_PROJECT`, `VERTEX_REGION` | `vertex` | the project; the region of a target that names none, default `global` |
//! | `CLOUDFLARE_ACCOUNT_ID` | `cloudflare` | the account |

pub mod address;
pub mod document;
pub mod google;
mod header_names;
mod settings;
pub mod table;
mod template;

use crate::domain::classify::ErrorRule;
use crate::domain::dialect::Wire;
use crate::domain::dialect::chat::hosts;
use crate::domain::dialect::messages::claude::is_claude;
use crate::domain::outcome::KeySlot;
use crate::domain::route::Route;
use std::borrow::Cow;
use table::{Dialect, Row, Scheme};
use template::{escape, fill, model_segment, region_of};

pub use address::{BaseUrl, is_loopback_name};
pub use settings::{SIM_ON, setting};

/// One provider, built in or configured.
#[derive(Clone, Debug)]
pub struct Provider {
    pub name: String,
    row: Option<&'static Row>,
    /// A base URL of its own, in place of the row's.
    base_url: Option<BaseUrl>,
    dialect: Dialect,
    /// Names of the routes that it serves natively.
    routes: Vec<Cow<'static, str>>,
    auth: Option<DocumentAuth>,
    /// Its calls go to the row's own host, so that the row's keys may go along.
    row_keys: bool,
    /// Added to every call.
    pub headers: Vec<(String, String)>,
    /// Its own classification, read before the built-in one.
    pub errors: Vec<ErrorRule>,
}

/// The `auth` of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DocumentAuth {
    header: Option<String>,
    /// As written; empty for none.
    scheme: Option<String>,
    secret: String,
}

/// How a key travels upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// No key is needed.
    None,
    /// `<name>: [<scheme> ]<key>`
    Header { name: Cow<'static, str>, scheme: Option<Cow<'static, str>> },
    /// AWS Signature Version 4 with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, where set, `AWS_SESSION_TOKEN`;
    /// `authorization: Bearer` when the key is a Bedrock API key.
    Aws,
    /// `authorization: Bearer` with an access token, made from a service account's JSON key where the secret is one.
    Google,
}

const BEARER: Auth = Auth::Header { name: Cow::Borrowed("authorization"), scheme: Some(Cow::Borrowed("Bearer")) };
const X_API_KEY: Auth = Auth::Header { name: Cow::Borrowed("x-api-key"), scheme: None };

impl Scheme {
    fn auth(self, wire: Wire) -> Auth {
        match (self, wire) {
            (Scheme::None, _) => Auth::None,
            (Scheme::Aws, _) => Auth::Aws,
            (Scheme::Google, _) => Auth::Google,
            (_, Wire::Messages) | (Scheme::XApiKey, _) => X_API_KEY,
            (Scheme::ApiKey, _) => Auth::Header { name: Cow::Borrowed("api-key"), scheme: None },
            (Scheme::Bearer, _) => BEARER,
        }
    }
}

impl DocumentAuth {
    /// What it says, over the usual. A header of its own has no word before the key, but for `authorization`, which is also where
    /// a word goes that names no header.
    fn over(&self, usual: Auth) -> Auth {
        let scheme = || self.scheme.clone().filter(|scheme| !scheme.is_empty()).map(Cow::Owned);
        match (&self.header, &self.scheme, usual) {
            (None, None, usual) => usual,
            (Some(name), None, _) if name == "authorization" => BEARER,
            (Some(name), _, _) => Auth::Header { name: Cow::Owned(name.clone()), scheme: scheme() },
            (None, Some(word), Auth::Header { name, .. }) if word.is_empty() => Auth::Header { name, scheme: None },
            (None, Some(_), _) => Auth::Header { name: Cow::Borrowed("authorization"), scheme: scheme() },
        }
    }
}

/// A variable that a provider's URL needs and that is not set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingVariable(pub String);

impl Provider {
    /// A built-in provider as its row has it.
    pub fn built_in(name: &str) -> Option<Provider> {
        table::row(name).map(|row| Provider {
            name: row.name.to_owned(),
            row: Some(row),
            base_url: None,
            dialect: row.dialect,
            routes: row.routes.iter().map(|name| Cow::Borrowed(*name)).collect(),
            auth: None,
            row_keys: true,
            headers: Vec::new(),
            errors: Vec::new(),
        })
    }

    /// A server that one request named itself, with a key of its own.
    pub fn one_off(name: &str, base_url: BaseUrl) -> Provider {
        Provider {
            name: name.to_owned(),
            row: None,
            base_url: Some(base_url),
            dialect: Dialect::OpenAi,
            routes: table::OPENAI_ROUTES.iter().map(|name| Cow::Borrowed(*name)).collect(),
            auth: Some(DocumentAuth { header: None, scheme: None, secret: String::new() }),
            row_keys: false,
            headers: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Whether its calls go where its row says.
    pub fn is_at_home(&self) -> bool {
        self.base_url.is_none()
    }

    /// Whether it serves a route itself, in the route's own shape.
    pub fn serves(&self, route: &Route) -> bool {
        self.routes.iter().any(|name| name == route.name())
    }

    /// The name by which a model's maker is known, and what it takes: its upstream's, but where that is of the owner's own making,
    /// as a deployment's at Azure and a profile's at Bedrock are, and tells nothing.
    pub fn known_as<'a>(&self, ours: &'a str, id: &'a str) -> &'a str {
        let of_owner = match self.dialect {
            Dialect::Azure => true,
            Dialect::Bedrock => id.starts_with("arn:"),
            Dialect::OpenAi | Dialect::Anthropic | Dialect::Vertex => false,
        };
        if of_owner && !hosts::tells(&self.name, id) { ours } else { id }
    }

    /// The wire on which a request of `route` goes to `model`: the route's own where the provider has it, else the nearest
    /// that it can be translated to; `None` when there is none.
    pub fn wire(&self, route: &Route, model: &str) -> Option<Wire> {
        if self.name == "sim" && self.base_url.is_none() {
            return Some(own_wire(route));
        }
        match self.dialect {
            Dialect::OpenAi => self.openai_wire(route, model),
            Dialect::Anthropic => self.anthropic_wire(route),
            Dialect::Azure if is_claude(model) => match route {
                Route::CountTokens => Some(Wire::Opaque),
                route => translatable(route).then_some(Wire::Messages),
            },
            Dialect::Azure => self.openai_wire(route, model),
            Dialect::Bedrock if is_claude(model) => of_claude(route, Wire::Invoke),
            Dialect::Bedrock => translatable(route).then_some(Wire::Converse),
            Dialect::Vertex if is_claude(model) => of_claude(route, Wire::RawPredict),
            Dialect::Vertex => translatable(route).then_some(Wire::Chat),
        }
    }

    fn openai_wire(&self, route: &Route, model: &str) -> Option<Wire> {
        let has = |name: &str| self.routes.iter().any(|route| route == name);
        // Workers AI speaks Responses for OpenAI's open models alone.
        let workers_ai = self.name == "cloudflare" && self.is_at_home();
        let lacks = workers_ai && *route == Route::Responses && !model.contains("gpt-oss");
        if self.serves(route) && !lacks {
            return Some(own_wire(route));
        }
        let of_openai = matches!(self.name.as_str(), "openai" | "azure") && self.is_at_home();
        match translatable(route) {
            true if of_openai && has("responses") && hosts::wants_responses(model) => Some(Wire::Responses),
            true if has("chat") => Some(Wire::Chat),
            true if has("responses") => Some(Wire::Responses),
            true if has("messages") => Some(Wire::Messages),
            true | false => None,
        }
    }

    fn anthropic_wire(&self, route: &Route) -> Option<Wire> {
        match translatable(route) && self.routes.iter().any(|name| name == "messages") {
            true => Some(Wire::Messages),
            false => self.serves(route).then(|| own_wire(route)),
        }
    }

    /// The URL of one call. `model` is its name on the wire, `vars` reads a variable by name.
    ///
    /// # Errors
    /// [`MissingVariable`] names a variable that the provider's URL needs.
    pub fn url(
        &self,
        route: &Route,
        wire: Wire,
        model: &str,
        region: Option<&str>,
        stream: bool,
        vars: impl Fn(&str) -> Option<String>,
    ) -> Result<String, MissingVariable> {
        let base = self.base(route, wire, region, &vars)?;
        let escaped = || escape(model);
        if let Some(version) = self.dated(route, wire, &vars) {
            let (base, path) = (base.trim_end_matches("/v1"), route_path(route, wire));
            return Ok(format!("{base}/deployments/{}{path}?api-version={version}", escaped()));
        }
        Ok(match wire {
            Wire::Chat if self.dialect == Dialect::Vertex => format!("{base}/endpoints/openapi/chat/completions"),
            Wire::Chat => format!("{base}/chat/completions"),
            Wire::Responses => format!("{base}/responses"),
            Wire::Messages => format!("{base}/messages"),
            Wire::Completions => format!("{base}/completions"),
            Wire::Opaque => format!("{base}{}", route.path()),
            Wire::Invoke if *route == Route::CountTokens => {
                format!("{base}/model/{}/count-tokens", escape(unprofiled(model)))
            }
            Wire::Invoke if stream => format!("{base}/model/{}/invoke-with-response-stream", escaped()),
            Wire::Invoke => format!("{base}/model/{}/invoke", escaped()),
            Wire::Converse if stream => format!("{base}/model/{}/converse-stream", escaped()),
            Wire::Converse => format!("{base}/model/{}/converse", escaped()),
            Wire::RawPredict if *route == Route::CountTokens => {
                format!("{base}/publishers/anthropic/models/count-tokens:rawPredict")
            }
            Wire::RawPredict => {
                let verb = if stream { "streamRawPredict" } else { "rawPredict" };
                format!("{base}/publishers/anthropic/models/{}:{verb}", model_segment(model))
            }
        })
    }

    fn base(
        &self,
        route: &Route,
        wire: Wire,
        region: Option<&str>,
        vars: &impl Fn(&str) -> Option<String>,
    ) -> Result<String, MissingVariable> {
        if let Some(base_url) = &self.base_url {
            return Ok(base_url.as_str().to_owned());
        }
        let Some(row) = self.row else { return Ok(String::new()) };
        let template = match row.messages_url {
            Some(url) if wire == Wire::Messages || *route == Route::CountTokens => url,
            Some(_) | None => row.base_url,
        };
        fill(template, row, region, vars)
    }

    /// The dated version under which Azure's deployments are called, where the owner names one.
    fn dated(&self, route: &Route, wire: Wire, vars: &impl Fn(&str) -> Option<String>) -> Option<String> {
        let of_deployments =
            matches!(wire, Wire::Chat | Wire::Completions | Wire::Opaque) && *route != Route::CountTokens;
        let azure = self.dialect == Dialect::Azure && self.is_at_home() && of_deployments;
        azure.then(|| template::variable("AZURE_API_VERSION", vars).ok()).flatten()
    }

    /// The region that a call of this target goes to: its own, or the provider's default. `None` for providers without.
    pub fn region(&self, region: Option<&str>, vars: impl Fn(&str) -> Option<String>) -> Option<String> {
        self.row.and_then(|row| region_of(row, region, &vars))
    }

    /// How the key of a slot travels with one call. Where tokens are counted it does as with the Messages that are counted.
    pub fn key_of(&self, route: &Route, wire: Wire, slot: KeySlot) -> Auth {
        let wire = if *route == Route::CountTokens && wire == Wire::Opaque { Wire::Messages } else { wire };
        match slot {
            KeySlot::Own => self.own_auth(wire),
            KeySlot::Managed => self.auth(wire),
        }
    }

    /// How its key travels on this wire.
    pub fn auth(&self, wire: Wire) -> Auth {
        match (&self.auth, self.row) {
            (Some(auth), _) => auth.over(self.usual_auth(wire)),
            (None, Some(row)) if self.row_keys => row.scheme.auth(wire),
            (None, _) => Auth::None,
        }
    }

    /// How a key travels to it where its document does not say: as its row has it, else as its dialect.
    fn usual_auth(&self, wire: Wire) -> Auth {
        match self.row.filter(|row| row.dialect == self.dialect && row.scheme != Scheme::None) {
            Some(row) => row.scheme.auth(wire),
            None if self.dialect == Dialect::Anthropic => X_API_KEY,
            None => BEARER,
        }
    }

    /// How a caller's own key travels: as the provider's, and where the provider needs none, as its row or its dialect has it.
    pub fn own_auth(&self, wire: Wire) -> Auth {
        match (self.auth(wire), self.row.map(|row| row.scheme)) {
            (Auth::None, Some(Scheme::None)) => Auth::None,
            (Auth::None, _) if wire == Wire::Messages => X_API_KEY,
            (Auth::None, _) => self.usual_auth(wire),
            (auth, _) => auth,
        }
    }

    /// The model's name on the wire, of the catalogue's id for it. At its own host OpenPipe wants its own prefix.
    pub fn wire_model<'a>(&self, id: &'a str) -> Cow<'a, str> {
        match self.name == "openpipe" && self.is_at_home() && !id.contains(':') {
            true => Cow::Owned(format!("openpipe:{id}")),
            false => Cow::Borrowed(id),
        }
    }
}

/// The wire of a cloud's Claude for a route; tokens are counted on it as well.
fn of_claude(route: &Route, wire: Wire) -> Option<Wire> {
    (translatable(route) || *route == Route::CountTokens).then_some(wire)
}

/// A model of Bedrock's without its inference profile: tokens are counted by the model, wherever it runs.
fn unprofiled(model: &str) -> &str {
    match model.split_once(".anthropic.") {
        Some((profile, _)) if profile.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') => {
            model.get(profile.len() + 1..).unwrap_or(model)
        }
        Some(_) | None => model,
    }
}

/// Whether requests of a route can be carried on another family's wire.
fn translatable(route: &Route) -> bool {
    matches!(route, Route::Chat | Route::Responses | Route::Messages)
}

/// What follows the base of a deployment.
fn route_path(route: &Route, wire: Wire) -> &'static str {
    match wire {
        Wire::Chat => "/chat/completions",
        _ => route.path(),
    }
}

/// A route's own wire.
fn own_wire(route: &Route) -> Wire {
    match route {
        Route::Chat => Wire::Chat,
        Route::Responses => Wire::Responses,
        Route::Messages => Wire::Messages,
        Route::Completions => Wire::Completions,
        Route::CountTokens
        | Route::Embeddings
        | Route::Moderations
        | Route::ImagesGenerations
        | Route::AudioSpeech
        | Route::Multipart(_) => Wire::Opaque,
    }
}
