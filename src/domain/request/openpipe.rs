//! Body `openpipe`, as OpenPipe's SDKs spell it.
//!
//! ```json
//! {"fallback": {"model": "gpt-4-turbo", "timeout": 20, "provider": "acme"}, "timeout": 10,
//!  "fallback_client": {"base_url": "https://...", "api_key": "..."}, "tags": {...}}
//! ```
//! `timeout` is in seconds, in milliseconds when the client is the JavaScript SDK; `timeout_ms` is always milliseconds, and
//! wins. What else their SDKs send there is of no use here and ignored.

use serde_json::{Map, Value};

use super::envelope::METADATA_MAX_BYTES;
use super::headers::Headers;
use super::understudy::refuse;
use crate::domain::document::json::shown;
use crate::domain::document::{Kind, json};
use crate::domain::policy::file::HopFile;
use crate::domain::policy::hop_text::check_model;
use crate::domain::policy::overrides::TimeoutsOverride;
use crate::domain::policy::{Endpoint, Timeouts};
use crate::domain::provider::address::BaseUrl;
use crate::domain::refusal::Refusal;
use crate::domain::target::is_provider_name;
use crate::domain::time::Span;

/// The fallback's clock when neither it nor the primary says one: the OpenAI SDK's own.
const DEFAULT_TIMEOUT: Span = Span::seconds(600);

/// The field that names the fallback's provider.
pub(super) const PROVIDER: &str = "openpipe.fallback.provider";

/// The longest clock, as everywhere.
const MAX_TIMEOUT_MS: f64 = 3_600_000.0;

/// Whether a request may name endpoints of its own (`REQUEST_ENDPOINTS`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Endpoints {
    #[default]
    Off,
    On,
}

/// What `openpipe` says.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenPipe {
    pub(super) fallback: Option<HopFile>,
    /// The fallback's provider stands in a field of its own.
    pub(super) names_provider: bool,
    /// In place of the fallback's provider.
    pub(super) endpoint: Option<Endpoint>,
    /// The first hop's clock.
    pub(super) timeouts: TimeoutsOverride,
    pub(super) tags: Map<String, Value>,
}

/// How to read the object.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) headers: &'a Headers,
    pub(super) stream: bool,
    pub(super) endpoints: Endpoints,
    /// This Worker's own host: never an endpoint.
    pub(super) own_host: Option<&'a str>,
    /// What the request says beside it for every hop.
    pub(super) clocks: TimeoutsOverride,
}

/// Reads the object; `null` is none.
///
/// # Errors
/// 400 naming the field; 403 for an endpoint where requests may name none.
pub(super) fn read(bytes: &[u8], reading: Reading<'_>) -> Result<OpenPipe, Refusal> {
    let value = json::parse(bytes, Kind::Request, "openpipe").map_err(|findings| refuse(&findings, "openpipe"))?;
    let Some(fields) = object(&value, "openpipe")? else { return Ok(OpenPipe::default()) };
    let client = either(fields, "openpipe", "fallback_client", "fallbackClient")?;
    let endpoint = client.map(|client| endpoint(client, reading)).transpose()?;
    let primary = timeout(fields, "openpipe", reading)?;
    let fallback = match fields.get("fallback") {
        None => None,
        Some(value) => object(value, "openpipe.fallback")?,
    };
    let names_provider = fallback.is_some_and(|fallback| fallback.get("provider").is_some_and(|name| !name.is_null()));
    if endpoint.is_some() && names_provider {
        let message = "cannot stand beside fallback_client: one or the other says who answers";
        return Err(Refusal::value(PROVIDER, message));
    }
    let hop = |fallback| -> Result<HopFile, Refusal> {
        let own = timeout(fallback, "openpipe.fallback", reading)?;
        let said = if reading.stream { reading.clocks.first_token } else { reading.clocks.attempt };
        let span = own.or(primary).or(said).unwrap_or(DEFAULT_TIMEOUT);
        Ok(HopFile { timeouts: clock(span, reading.stream), ..HopFile::of(model(fallback)?) })
    };
    let fallback = fallback.map(hop).transpose()?;
    let endpoint =
        endpoint.zip(fallback.as_ref()).map(|(endpoint, hop)| Endpoint { model: hop.model.clone(), ..endpoint });
    Ok(OpenPipe {
        fallback,
        names_provider,
        endpoint,
        timeouts: primary.map(|span| clock(span, reading.stream)).unwrap_or_default(),
        tags: tags(fields)?,
    })
}

/// Tags count as metadata, and are bounded as it is.
fn tags(fields: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let path = "openpipe.tags";
    let Some(given) = fields.get("tags") else { return Ok(Map::new()) };
    let tags = object(given, path)?.cloned().unwrap_or_default();
    match given.to_string().len() {
        bytes if bytes > METADATA_MAX_BYTES => {
            Err(Refusal::value(path, format!("{bytes} bytes, at most {METADATA_MAX_BYTES} are taken")))
        }
        _ => Ok(tags),
    }
}

/// An object, or nothing for `null`.
fn object<'a>(value: &'a Value, path: &str) -> Result<Option<&'a Map<String, Value>>, Refusal> {
    match value {
        Value::Null => Ok(None),
        Value::Object(fields) => Ok(Some(fields)),
        other => Err(Refusal::field("invalid_type", path, format!("{} is not an object", shown(other)))),
    }
}

/// A field by its Python or its JavaScript name.
fn either<'a>(
    fields: &'a Map<String, Value>,
    path: &str,
    snake: &str,
    camel: &str,
) -> Result<Option<&'a Value>, Refusal> {
    match (fields.get(snake), fields.get(camel)) {
        (Some(_), Some(_)) => {
            let message = format!("given twice, as {snake} and as {camel}");
            Err(Refusal::field("duplicate_parameter", &format!("{path}.{snake}"), message))
        }
        (snake, camel) => Ok(snake.or(camel).filter(|value| !value.is_null())),
    }
}

/// The model of the fallback, under the provider that it names.
fn model(fallback: &Map<String, Value>) -> Result<String, Refusal> {
    let path = "openpipe.fallback.model";
    let model = match fallback.get("model") {
        Some(Value::String(model)) => model,
        Some(other) => {
            return Err(Refusal::field("invalid_type", path, format!("{} is not a string", shown(other))));
        }
        None => return Err(Refusal::field("missing_required_parameter", path, "is missing; expected a model")),
    };
    let model = match fallback.get("provider") {
        None | Some(Value::Null) => model.clone(),
        Some(Value::String(provider)) if is_provider_name(provider) => format!("{provider}/{model}"),
        Some(other) => {
            let message = format!("{} is not a provider name", shown(other));
            return Err(Refusal::value(PROVIDER, message));
        }
    };
    check_model(&model).map_err(|message| Refusal::field("invalid_model", path, message))?;
    Ok(model)
}

fn timeout(fields: &Map<String, Value>, path: &str, reading: Reading<'_>) -> Result<Option<Span>, Refusal> {
    let javascript =
        reading.headers.value("x-stainless-lang").is_some_and(|lang| lang.trim().eq_ignore_ascii_case("js"));
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let (name, value, unit) = match (given("timeout_ms"), given("timeout")) {
        (Some(value), _) => ("timeout_ms", value, 1.0),
        (None, Some(value)) => ("timeout", value, if javascript { 1.0 } else { 1000.0 }),
        (None, None) => return Ok(None),
    };
    match value.as_f64().map(|number| number * unit) {
        // A clock of less than a millisecond is one of a millisecond; none is longer than an hour.
        Some(ms) if ms > 0.0 => Ok(Some(Span(ms.clamp(1.0, MAX_TIMEOUT_MS).round() as u64))),
        _ => Err(Refusal::value(&format!("{path}.{name}"), format!("{} is not a time above 0", shown(value)))),
    }
}

/// The clock that a client's `timeout` means: for a stream the time to its first content, which headers may take all of, else the
/// whole attempt.
fn clock(span: Span, stream: bool) -> TimeoutsOverride {
    let headers = Some(span).filter(|span| *span > Timeouts::default().headers);
    match stream {
        true => TimeoutsOverride { first_token: Some(span), headers, ..TimeoutsOverride::default() },
        false => TimeoutsOverride { attempt: Some(span), ..TimeoutsOverride::default() },
    }
}

fn endpoint(client: &Value, reading: Reading<'_>) -> Result<Endpoint, Refusal> {
    let path = "openpipe.fallback_client";
    if reading.endpoints == Endpoints::Off {
        let message = format!("{path}: a request may not name endpoints of its own here (REQUEST_ENDPOINTS is not on)");
        return Err(Refusal::new(403, "request_endpoints_off", message).about(path));
    }
    let Some(fields) = object(client, path)? else {
        return Err(Refusal::field("invalid_type", path, "expected an object"));
    };
    // Neither value is repeated in a message: either may be a key.
    let text = |snake: &str, camel: &str| match either(fields, path, snake, camel)? {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(_) => Err(Refusal::field("invalid_type", &format!("{path}.{snake}"), "expected a string")),
        None => Err(Refusal::field("missing_required_parameter", &format!("{path}.{snake}"), "is missing")),
    };
    let base_url = text("base_url", "baseURL")?;
    let api_key = text("api_key", "apiKey")?;
    if !api_key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refusal::value(&format!("{path}.api_key"), "expected printable ASCII without spaces"));
    }
    let base_url = BaseUrl::parse(&base_url, reading.own_host)
        .map_err(|message| Refusal::value(&format!("{path}.base_url"), message))?;
    Ok(Endpoint { base_url: base_url.as_str().to_owned(), api_key, model: String::new() })
}
