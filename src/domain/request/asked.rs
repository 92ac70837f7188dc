//! Everything that one request says of how it wants to be served, read and checked, with models still by name.

use serde_json::{Map, Value};

use super::envelope::METADATA_MAX_BYTES;
use super::openpipe::{self, Endpoints, OpenPipe, Reading};
use super::ours;
use super::understudy::{self, Carrier, Understudy, refuse};
use super::{Body, Envelope, Headers, Identity, OwnKeys};
use crate::domain::chain::Leave;
use crate::domain::dialect::responses::TRANSLATED;
use crate::domain::document::Kind;
use crate::domain::document::json::{self, shown};
use crate::domain::outcome::Class;
use crate::domain::policy::file::HopFile;
use crate::domain::policy::hop_text::{MAX_HOPS, check_model};
use crate::domain::policy::overrides::{OnOverride, Overrides, TimeoutsOverride};
use crate::domain::policy::{Endpoint, Preset, Verdict};
use crate::domain::refusal::Refusal;
use crate::domain::time::Span;

/// What a request asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `model` as the client wrote it.
    pub model: String,
    pub stream: bool,
    /// The hops that it brings itself, to follow the first.
    pub fallback: Option<Brought>,
    /// `on`, `timeouts`, `deadline_ms`, `stream`; never `keep` or `consent`.
    pub overrides: Overrides,
    /// The first hop's clock alone (`openpipe.timeout`).
    pub first_timeouts: TimeoutsOverride,
    pub identity: Identity,
    pub leave: Leave,
    /// Provider keys that came with the request.
    pub own_keys: OwnKeys,
    /// How long the client says it waits, less what it takes to answer it.
    pub patience: Option<Span>,
    /// The client's SDK sends the request again by itself: it is tried once at each hop, or tries would multiply.
    pub again: bool,
    /// `x-understudy-drill` as written.
    pub drill: Option<String>,
}

/// Hops that a request brings.
#[derive(Clone, Debug)]
pub struct Brought {
    /// The field that brings them, for messages.
    pub field: &'static str,
    pub hops: Vec<HopFile>,
    /// The field that names their provider, where their models do not.
    pub provider: Option<&'static str>,
    /// One-off credentials of these hops.
    pub endpoint: Option<Endpoint>,
}

impl Brought {
    /// Where the model of a hop stands, for messages.
    pub fn path(&self, index: usize) -> String {
        match self.field {
            "openpipe.fallback" => "openpipe.fallback.model".to_owned(),
            "models" => format!("models[{index}]"),
            field => format!("{field}[{index}].model"),
        }
    }
}

/// What the Worker's owner says of requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits<'a> {
    pub endpoints: Endpoints,
    /// This Worker's own host: never an endpoint.
    pub own_host: Option<&'a str>,
}

/// The client's `x-understudy-request-id`, asked for first, as every answer carries it.
///
/// # Errors
/// 400: not 1 to 64 of `A-Za-z0-9._-`.
pub fn request_id(headers: &Headers) -> Result<Option<String>, Refusal> {
    let name = "x-understudy-request-id";
    let Some(id) = headers.trimmed(name) else { return Ok(None) };
    let fine = (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if fine { Ok(Some(id.to_owned())) } else { Err(Refusal::value(name, "expected 1 to 64 of A-Za-z0-9._-")) }
}

impl Asked {
    /// Reads what a request says in its body and headers.
    ///
    /// # Errors
    /// 400 naming the field or header; 403 for an endpoint where requests may name none.
    pub fn read(body: &Body, bytes: &[u8], headers: &Headers, limits: Limits<'_>) -> Result<Asked, Refusal> {
        headers.check_bounds()?;
        request_id(headers)?;
        let envelope = match body {
            Body::Json(envelope) => Some(envelope),
            Body::Form(_) => None,
        };
        let value = |name: &str| envelope.and_then(|envelope| envelope.value(bytes, name));
        known_response(value("previous_response_id"))?;
        known_items(value("input"))?;
        let ours = |name: &'static str| value(name).map(|bytes| bounded(name, bytes)).transpose();
        let own = own_overrides(ours("understudy")?, headers)?;
        let reading = Reading {
            headers,
            stream: body.stream(),
            endpoints: limits.endpoints,
            own_host: limits.own_host,
            clocks: own.overrides.timeouts,
        };
        let openpipe = ours("openpipe")?.map(|bytes| openpipe::read(bytes, reading)).transpose()?.unwrap_or_default();
        let models = ours("models")?.map(read_models).transpose()?.flatten();
        let identity = identity(&own, &openpipe, body, bytes, headers)?;
        let (first_timeouts, overrides) = (openpipe.timeouts, merged(&own, &openpipe));
        Ok(Asked {
            model: body.model().to_owned(),
            stream: body.stream(),
            fallback: one_way(own.fallback, openpipe, models)?,
            overrides,
            first_timeouts,
            identity,
            leave: leave(headers)?,
            own_keys: OwnKeys::read(headers)?,
            patience: patience(headers),
            again: is_sent_again(headers),
            drill: headers.trimmed("x-understudy-drill").map(str::to_owned),
        })
    }

    /// Every model that the request names itself, as it wrote them: the one asked for, and those of the hops it brings.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let brought = self.fallback.iter().flat_map(|brought| &brought.hops);
        std::iter::once(self.model.as_str()).chain(brought.map(|hop| hop.model.as_str()))
    }

    /// Whether it changes anything of the plan.
    pub fn overrides_anything(&self) -> bool {
        self.fallback.is_some()
            || self.overrides != Overrides::default()
            || self.first_timeouts != TimeoutsOverride::default()
    }
}

/// A member that only Understudy reads, in bytes: far above sixteen hops with params, far below what a tree of a whole body takes.
const OURS_MAX_BYTES: usize = 256 * 1024;

fn bounded<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a [u8], Refusal> {
    match bytes.len() {
        length if length > OURS_MAX_BYTES => {
            Err(Refusal::value(name, format!("{length} bytes, at most {OURS_MAX_BYTES} are taken")))
        }
        _ => Ok(bytes),
    }
}

/// The OpenAI and Anthropic SDKs count their own retries of a request; what is no number is ignored.
fn is_sent_again(headers: &Headers) -> bool {
    let count = headers.value("x-stainless-retry-count").and_then(|value| value.trim().parse::<u32>().ok());
    count.is_some_and(|count| count > 0)
}

/// Ids of responses that were translated here are known to no server.
fn known_response(id: Option<&[u8]>) -> Result<(), Refusal> {
    let name = "previous_response_id";
    let text = id.and_then(|bytes| serde_json::from_slice::<String>(bytes).ok());
    match text.is_some_and(|text| text.starts_with(TRANSLATED)) {
        true => {
            let message = "this response was translated here and is stored nowhere: send the conversation in `input`";
            Err(Refusal::field("previous_response_not_found", name, message))
        }
        false => Ok(()),
    }
}

/// So are the items of such a response.
fn known_items(input: Option<&[u8]>) -> Result<(), Refusal> {
    match input.and_then(ours::named) {
        Some(id) => {
            let message =
                "was translated here and is stored nowhere: send the item itself, as SDKs do under `store: false`";
            Err(Refusal::field("item_not_found", "input", format!("{id} {message}")))
        }
        None => Ok(()),
    }
}

/// Body `understudy` or the header of the same object, never both.
fn own_overrides(body: Option<&[u8]>, headers: &Headers) -> Result<Understudy, Refusal> {
    let header = headers.json("x-understudy");
    match (body, header) {
        (Some(_), Some(_)) => {
            let message = "given twice, in the body (understudy) and as a header (x-understudy)";
            Err(Refusal::field("duplicate_parameter", "understudy", message))
        }
        (Some(body), None) => understudy::read(body, Carrier::Body),
        (None, Some(header)) => understudy::read(header.as_bytes(), Carrier::Header),
        (None, None) => Ok(Understudy::default()),
    }
}

/// `models`: fallbacks in order. An empty list and `null` bring none.
fn read_models(bytes: &[u8]) -> Result<Option<Vec<HopFile>>, Refusal> {
    let list = match json::parse(bytes, Kind::Request, "models").map_err(|findings| refuse(&findings, "models"))? {
        Value::Null => return Ok(None),
        Value::Array(list) => list,
        other => {
            let message = format!("{} is not a list of models", shown(&other));
            return Err(Refusal::field("invalid_type", "models", message));
        }
    };
    if list.len() > MAX_HOPS {
        return Err(Refusal::value("models", format!("{} entries are more than the {MAX_HOPS} allowed", list.len())));
    }
    let hop = |(index, entry): (usize, &Value)| {
        let path = format!("models[{index}]");
        let Value::String(model) = entry else {
            return Err(Refusal::field("invalid_type", &path, format!("{} is not a string", shown(entry))));
        };
        check_model(model).map_err(|message| Refusal::field("invalid_model", &path, message))?;
        Ok(HopFile::of(model))
    };
    let hops = list.iter().enumerate().map(hop).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(hops).filter(|hops| !hops.is_empty()))
}

/// The hops, which may come one way alone.
fn one_way(
    own: Option<understudy::Fallback>,
    openpipe: OpenPipe,
    models: Option<Vec<HopFile>>,
) -> Result<Option<Brought>, Refusal> {
    let brought = |field, hops| Brought { field, hops, provider: None, endpoint: None };
    let mut ways: Vec<Brought> = Vec::new();
    ways.extend(own.map(|own| brought(own.field, own.hops)));
    ways.extend(openpipe.fallback.map(|hop| Brought {
        provider: openpipe.names_provider.then_some(openpipe::PROVIDER),
        endpoint: openpipe.endpoint,
        ..brought("openpipe.fallback", vec![hop])
    }));
    ways.extend(models.map(|hops| brought("models", hops)));
    match ways.as_slice() {
        [first, second, ..] => {
            let message = format!("fallbacks come one way, and {} brings some already", first.field);
            Err(Refusal::field("duplicate_parameter", second.field, message))
        }
        _ => Ok(ways.pop()),
    }
}

/// `understudy`'s overrides; before them, `openpipe.fallback` falls back on every class but `cancelled`.
fn merged(own: &Understudy, openpipe: &OpenPipe) -> Overrides {
    let mut overrides = own.overrides.clone();
    if openpipe.fallback.is_some() && overrides.on.preset.is_none() {
        let mut classes = vec![(Class::ContentPolicy, Verdict::Next)];
        classes.append(&mut overrides.on.classes);
        overrides.on = OnOverride { preset: Some(Preset::Resilient), classes };
    }
    overrides
}

fn identity(
    own: &Understudy,
    openpipe: &OpenPipe,
    body: &Body,
    bytes: &[u8],
    headers: &Headers,
) -> Result<Identity, Refusal> {
    let mut identity = Identity::default();
    let header = headers.value("x-understudy").is_some();
    identity.add(own.metadata.clone(), if header { "x-understudy.metadata" } else { "understudy.metadata" })?;
    let mut user = None;
    match body {
        Body::Json(envelope) => {
            for name in ["understudy", "waystone"] {
                identity.add(said_in_metadata(envelope, bytes, name)?, &format!("metadata.{name}"))?;
            }
            if let Some(requesty) = envelope.value(bytes, "requesty") {
                identity.add_requesty(bounded_object(requesty, "requesty")?)?;
            }
            let text = |bytes: Option<&[u8]>| bytes.and_then(|bytes| serde_json::from_slice::<String>(bytes).ok());
            user = text(envelope.value(bytes, "user")).or_else(|| text(envelope.metadata_value(bytes, "user_id")));
        }
        Body::Form(form) => user = form.value(bytes, "user").map(str::to_owned).or(user),
    }
    identity.add(openpipe.tags.clone(), "openpipe.tags")?;
    if let Some(tags) = headers.json("op-tags") {
        identity.add(bounded_object(tags.as_bytes(), "op-tags")?, "op-tags")?;
    }
    if let Body::Json(envelope) = body {
        let own = envelope.own_metadata(bytes);
        let fields = own.filter_map(|(name, value)| Some((name.to_owned(), serde_json::from_slice(value).ok()?)));
        // Of the client's own fields, a user or group that is neither text nor number is none of ours.
        identity.add(fields.filter(|(name, value)| is_claim(name, value)).collect(), "metadata")?;
    }
    identity.settle(user);
    Ok(identity)
}

fn is_claim(name: &str, value: &Value) -> bool {
    let fits = |text: &str| text.chars().count() <= super::identity::NAME_MAX_CHARS;
    match (name, value) {
        ("user" | "group", Value::String(text)) => fits(text),
        ("user" | "group", Value::Number(_)) => true,
        ("user" | "group", _) => false,
        _ => true,
    }
}

/// `metadata.waystone`, `metadata.understudy`: a string that holds a JSON object.
fn said_in_metadata(envelope: &Envelope, bytes: &[u8], name: &str) -> Result<Map<String, Value>, Refusal> {
    let value = envelope.metadata_value(bytes, name).filter(|value| *value != b"null");
    let Some(value) = value else { return Ok(Map::new()) };
    let path = format!("metadata.{name}");
    match serde_json::from_slice::<String>(value) {
        Ok(text) => bounded_object(text.as_bytes(), &path),
        Err(_) => Err(Refusal::field("invalid_type", &path, "expected a string that holds a JSON object")),
    }
}

/// A JSON object of identity fields; `null` is none.
fn bounded_object(bytes: &[u8], path: &str) -> Result<Map<String, Value>, Refusal> {
    if bytes.len() > METADATA_MAX_BYTES {
        let message = format!("{} bytes, at most {METADATA_MAX_BYTES} are taken", bytes.len());
        return Err(Refusal::value(path, message));
    }
    match json::parse(bytes, Kind::Request, path).map_err(|findings| refuse(&findings, path))? {
        Value::Object(fields) => Ok(fields),
        Value::Null => Ok(Map::new()),
        other => Err(Refusal::field("invalid_type", path, format!("{} is not a JSON object", shown(&other)))),
    }
}

fn leave(headers: &Headers) -> Result<Leave, Refusal> {
    let consented = match headers.trimmed("x-understudy-consent") {
        None => false,
        Some("fallback") => true,
        Some(_) => return Err(Refusal::value("x-understudy-consent", "expected fallback")),
    };
    let forbidden = match headers.trimmed("x-understudy-no-fallback") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Refusal::value("x-understudy-no-fallback", "expected true")),
    };
    Ok(Leave { consented, forbidden })
}

/// How long the client waits for response headers, less half a second to answer it in. What is no time above 0 is ignored.
pub fn patience(headers: &Headers) -> Option<Span> {
    const TO_ANSWER_MS: f64 = 500.0;
    let seconds = |name: &str| headers.value(name).and_then(|value| value.trim().parse::<f64>().ok());
    ["x-stainless-read-timeout", "x-stainless-timeout"]
        .into_iter()
        .filter_map(seconds)
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
        .map(|seconds| Span((seconds * 1000.0 - TO_ANSWER_MS).max(1.0) as u64))
        .min()
}
