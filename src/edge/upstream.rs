//! From a hop to a request on the wire: URL, headers, authentication, body.
//!
//! What goes up: the client's own content and tracing headers ([`forwards`] lists them), the provider's, its key, and
//! `cdn-loop`, by which a request that comes back to this Worker is known. Never: the client's key, cookies, or anything of
//! Understudy's.

use super::bindings::text;
use super::glue::{self, is_header_value};
use super::job::{Job, Ready};
use super::keys::{Credential, Kind};
use super::line::{Answer, Line, Outbound, Reading};
use super::{sim, vertex};
use crate::domain::chain::Call;
use crate::domain::dialect::decoder::Voice;
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::said::Expected;
use crate::domain::dialect::{Destination, Encoded, Incompatible, Wire, betas, envelope, json_text, translate};
use crate::domain::outcome::{Class, Failure, KeySlot, Phase};
use crate::domain::policy::{Hop, Param, RelayMode, UsageMode};
use crate::domain::provider::Auth;
use crate::domain::relay::Setup;
use crate::domain::request::{Body, Envelope};
use crate::domain::route::Route;
use crate::domain::sigv4;
use crate::domain::sim::Played;
use crate::domain::time::Span;

/// How this Worker names itself to whoever it calls.
const CDN_LOOP: &str = "understudy";
/// The version of Anthropic's API that requests speak when the client names none.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// A call ready to be sent, to the world or to provider `sim`.
pub enum Sendable {
    Outbound(Outbound),
    Scripted(Played),
}

impl Sendable {
    /// Sends it; resolves with the answer's head. `then` as of [`Line::send`].
    ///
    /// # Errors
    /// No connection, or none that brought headers.
    pub async fn send(&self, line: &Line, reading: Reading, then: (Phase, Span)) -> Result<Answer, Failure> {
        match self {
            Sendable::Outbound(outbound) => line.send(outbound, reading, then).await,
            Sendable::Scripted(played) => {
                let response = sim::respond(played, &line.signal()).await?;
                line.receive(&response, reading, then).await
            }
        }
    }
}

/// Whether answers of that wire must be translated for clients of that route.
pub fn translates(route: &Route, wire: Wire) -> bool {
    match (route, wire) {
        (Route::Chat, Wire::Chat) | (Route::Responses, Wire::Responses) | (Route::Messages, Wire::Messages) => false,
        (Route::Completions, Wire::Completions) | (_, Wire::Opaque) => false,
        (route, wire) => !wraps(route, wire),
    }
}

/// Whether a request stays in its family and only changes its envelope: Messages on Bedrock and Vertex, and their counts.
fn wraps(route: &Route, wire: Wire) -> bool {
    matches!(route, Route::Messages | Route::CountTokens) && matches!(wire, Wire::Invoke | Wire::RawPredict)
}

/// A call ready to be sent, and what came of translating it.
pub struct Prepared {
    pub send: Sendable,
    /// What could not be carried, by its path in the client's body.
    pub dropped: Vec<String>,
    /// What translation changed, to be undone in the answer.
    pub reply: Reply,
}

/// Why a call was not made or did not succeed.
pub enum Stop {
    Failed(Failure),
    /// The feature that cannot be carried.
    Incompatible(String),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

/// Builds the call of a step.
///
/// # Errors
/// The provider's URL lacks a variable, or the request cannot be carried on the hop's wire.
pub async fn prepare(job: &Job, call: &Call, hop: &Hop, ready: &Ready) -> Result<Prepared, Stop> {
    let Some(wire) = ready.wire else { return Err(Stop::Incompatible(job.route.name().to_owned())) };
    let encoded = encode(job, hop, ready, wire)?;
    if let Some(played) = sim::scripted(job, hop, ready, wire) {
        let send = Sendable::Scripted(played);
        return Ok(Prepared { send, dropped: encoded.dropped, reply: encoded.reply });
    }
    let credential = ready.credentials.iter().find(|credential| credential.slot == call.slot);
    let vars = |name: &str| text(&job.env, name);
    let region = hop.target.region.as_deref();
    let url = ready
        .provider
        .url(&job.route, wire, &ready.model_id, region, job.stream, vars)
        .map_err(|missing| Failure::new(Class::Unreachable, format!("the variable {} is not set", missing.0)))?;
    let mut headers = dressed(job, ready, wire, call.slot);
    let draft = Draft { job, hop, ready, wire, url: &url, body: &encoded.body };
    draft.authenticate(&mut headers, call.slot, credential).await?;
    let send = Sendable::Outbound(Outbound { url, headers: headers.0, body: encoded.body });
    Ok(Prepared { send, dropped: encoded.dropped, reply: encoded.reply })
}

/// What stands where a key would.
const REDACTED: &str = "[redacted]";

/// A call as it would go out, but for its key: to be looked at, never sent.
pub struct Preview {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub dropped: Vec<String>,
}

/// Builds the call of a hop without its key.
///
/// # Errors
/// As [`prepare`].
pub fn preview(job: &Job, hop: &Hop, ready: &Ready, slot: KeySlot) -> Result<Preview, Stop> {
    let Some(wire) = ready.wire else { return Err(Stop::Incompatible(job.route.name().to_owned())) };
    let encoded = encode(job, hop, ready, wire)?;
    let vars = |name: &str| text(&job.env, name);
    let url = ready
        .provider
        .url(&job.route, wire, &ready.model_id, hop.target.region.as_deref(), job.stream, vars)
        .map_err(|missing| Failure::new(Class::Unreachable, format!("the variable {} is not set", missing.0)))?;
    let mut headers = dressed(job, ready, wire, slot);
    match ready.provider.key_of(&job.route, wire, slot) {
        Auth::None => {}
        Auth::Header { name, scheme: Some(scheme) } => headers.set(&name, format!("{scheme} {REDACTED}")),
        Auth::Header { name, scheme: None } => headers.set(&name, REDACTED),
        Auth::Aws | Auth::Google => headers.set("authorization", REDACTED),
    }
    Ok(Preview { url, headers: headers.0, body: encoded.body, dropped: encoded.dropped })
}

/// The body for this hop, always from the client's original one.
fn encode(job: &Job, hop: &Hop, ready: &Ready, wire: Wire) -> Result<Encoded, Stop> {
    let plain = |body| Ok(Encoded { body, dropped: Vec::new(), reply: Reply::default() });
    match &job.body {
        Body::Json(envelope) if changes(&job.route, wire) => {
            let encoded = translated(&job.route, envelope, &job.bytes, hop, ready, wire)
                .map_err(|feature| Stop::Incompatible(feature.0))?;
            let encoded = with_betas(job, wire, encoded);
            Ok(match job.route {
                Route::CountTokens => {
                    Encoded { body: envelope::counting(encoded.body, &destination(hop, ready, wire)), ..encoded }
                }
                _ => encoded,
            })
        }
        Body::Json(envelope) => {
            let usage = asks_usage(job, wire).then(|| envelope.usage_param(&job.bytes)).flatten();
            let input = (job.route == Route::Responses).then(|| envelope.input_param(&job.bytes)).flatten();
            let params: Vec<Param> = hop.params.iter().cloned().chain(usage).chain(input).collect();
            plain(envelope.rewrite(&job.bytes, &ready.model_id, &params))
        }
        Body::Form(form) => plain(form.rewrite(&job.bytes, &ready.model_id, &hop.params)),
    }
}

/// Whether a body is written anew for that wire, and not only its model.
pub fn changes(route: &Route, wire: Wire) -> bool {
    translates(route, wire) || wraps(route, wire)
}

/// A client's body on a wire that is not its own.
///
/// # Errors
/// The feature that cannot be carried there.
pub fn translated(
    route: &Route,
    envelope: &Envelope,
    bytes: &[u8],
    hop: &Hop,
    ready: &Ready,
    wire: Wire,
) -> Result<Encoded, Incompatible> {
    let to = destination(hop, ready, wire);
    let cleaned = envelope.cleaned(bytes, &hop.params);
    let known_as = ready.provider.known_as(&hop.target.model, &ready.model_id);
    translate::translate_request_as(known_as, route.family(), &cleaned, &to, &ready.facts, hop.translate)
}

fn destination<'a>(hop: &'a Hop, ready: &'a Ready, wire: Wire) -> Destination<'a> {
    Destination {
        wire,
        provider: &hop.target.provider,
        model: &ready.model_id,
        max_output_tokens: ready.facts.max_output_tokens,
    }
}

/// InvokeModel takes betas in the body alone.
fn with_betas(job: &Job, wire: Wire, encoded: Encoded) -> Encoded {
    match job.headers.value("anthropic-beta") {
        Some(betas) if wire == Wire::Invoke => Encoded { body: envelope::with_betas(encoded.body, betas), ..encoded },
        Some(_) | None => encoded,
    }
}

/// `usage: always`: the option that makes the upstream send its counts is added, and the extra chunk hidden.
fn asks_usage(job: &Job, wire: Wire) -> bool {
    job.plan.usage == UsageMode::Always && job.stream && matches!(wire, Wire::Chat | Wire::Completions)
}

/// How the stream of this hop is read.
pub fn setup(job: &Job, hop: &Hop, wire: Wire, reply: Reply, expected: Expected) -> Setup {
    let asked = match &job.body {
        Body::Json(envelope) => envelope.usage_param(&job.bytes).is_none(),
        Body::Form(_) => true,
    };
    Setup {
        wire,
        family: job.route.family(),
        rules: job.plan.stream,
        mode: if asks_usage(job, wire) { RelayMode::Inspect } else { job.plan.stream.relay },
        hide_usage: asks_usage(job, wire) && !asked,
        voice: translates(&job.route, wire).then(|| voice(job, hop, reply)),
        keys: job.secrets().into_iter().map(str::to_owned).collect(),
        expected,
    }
}

/// What an encoder of the client's family must know that the answer does not say.
pub fn voice(job: &Job, hop: &Hop, reply: Reply) -> Voice {
    let (include_usage, request) = match &job.body {
        Body::Json(envelope) => {
            let request =
                (job.route == Route::Responses).then(|| json_text::tree(&envelope.cleaned(&job.bytes, &[]))).flatten();
            (envelope.usage_param(&job.bytes).is_none(), request)
        }
        Body::Form(_) => (false, None),
    };
    Voice {
        request_id: job.request_id.clone(),
        model: hop.target.to_string(),
        created: job.started.0 / 1000,
        include_usage,
        legacy_functions: reply.legacy_functions,
        request,
        reply,
    }
}

/// The headers of a call in the making: one value per name.
struct Outgoing(Vec<(String, String)>);

impl Outgoing {
    fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(have, _)| have == name) {
            Some(pair) => pair.1 = value.into(),
            None => self.0.push((name.to_owned(), value.into())),
        }
    }

    /// Sets one that must go up: a key.
    fn set_key(&mut self, name: &str, value: String) -> Result<(), Failure> {
        if !is_header_value(&value) {
            return Err(Failure::new(Class::Auth, "the key holds characters that no header can hold"));
        }
        self.set(name, value);
        Ok(())
    }
}

/// Whether a header of the client's goes upstream: its content and tracing headers. Its organization and project only beside
/// its own key; its Anthropic headers where the request stays in its family, and to Anthropic's wire.
fn forwards(name: &str, own_key: bool, at_home: bool) -> bool {
    match name {
        "content-type" | "accept" | "idempotency-key" | "traceparent" | "tracestate" | "user-agent" => true,
        "anthropic-version" | "anthropic-beta" => at_home,
        "openai-organization" | "openai-project" => own_key,
        name => name.starts_with("openai-"),
    }
}

/// Everything but authentication.
fn dressed(job: &Job, ready: &Ready, wire: Wire, slot: KeySlot) -> Outgoing {
    let anthropic = matches!(wire, Wire::Messages | Wire::Invoke | Wire::RawPredict) || job.route == Route::CountTokens;
    let at_home = anthropic || !translates(&job.route, wire);
    let forwarded = job.headers.iter().filter(|(name, _)| forwards(name, slot == KeySlot::Own, at_home));
    let forwarded = forwarded.filter_map(|(name, value)| match name {
        "anthropic-beta" => Some((name.to_owned(), betas::header(value, wire)?)),
        _ => Some((name.to_owned(), value.to_owned())),
    });
    let mut headers = Outgoing(forwarded.collect());
    if anthropic && job.headers.value("anthropic-version").is_none() {
        headers.set("anthropic-version", ANTHROPIC_VERSION);
    }
    if let Body::Json(_) = job.body {
        headers.set("content-type", "application/json");
    }
    if matches!(wire, Wire::Invoke | Wire::Converse) {
        headers.set("accept", if job.stream { "application/vnd.amazon.eventstream" } else { "application/json" });
    }
    for (name, value) in &ready.provider.headers {
        headers.set(&name.to_ascii_lowercase(), value.as_str());
    }
    headers.set("cdn-loop", CDN_LOOP);
    headers
}

/// A call but for its key.
struct Draft<'a> {
    job: &'a Job,
    hop: &'a Hop,
    ready: &'a Ready,
    wire: Wire,
    url: &'a str,
    body: &'a [u8],
}

impl Draft<'_> {
    async fn authenticate(
        &self,
        headers: &mut Outgoing,
        slot: KeySlot,
        credential: Option<&Credential>,
    ) -> Result<(), Failure> {
        let auth = self.ready.provider.key_of(&self.job.route, self.wire, slot);
        match (auth, credential.map(|credential| &credential.kind)) {
            (Auth::None, _) | (_, None | Some(Kind::None)) => Ok(()),
            (Auth::Header { name, scheme }, Some(Kind::Key(key))) => {
                let value = match scheme {
                    Some(scheme) => format!("{scheme} {key}"),
                    None => key.clone(),
                };
                headers.set_key(&name.to_ascii_lowercase(), value)
            }
            (Auth::Aws, Some(Kind::Key(key))) => headers.set_key("authorization", format!("Bearer {key}")),
            (Auth::Aws, Some(Kind::Aws(credentials))) => {
                let vars = |name: &str| text(&self.job.env, name);
                let region = self.ready.provider.region(self.hop.target.region.as_deref(), vars).unwrap_or_default();
                sign(headers, self.url, self.body, credentials, &region)
            }
            (Auth::Google, Some(Kind::Key(key))) => {
                let token = vertex::access_token(key).await?;
                headers.set_key("authorization", format!("Bearer {token}"))
            }
            (Auth::Header { .. } | Auth::Google, Some(Kind::Aws(_))) => {
                Err(Failure::new(Class::Auth, "this provider takes no AWS credentials"))
            }
        }
    }
}

/// Signs a Bedrock call. Anew for each try: the signature holds the time.
fn sign(
    headers: &mut Outgoing,
    url: &str,
    body: &[u8],
    credentials: &sigv4::Credentials,
    region: &str,
) -> Result<(), Failure> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let body_sha256 = sigv4::hex_sha256(body);
    let request = sigv4::Request {
        method: "POST",
        host,
        path,
        query,
        headers: &[("content-type", "application/json")],
        body_sha256: &body_sha256,
    };
    for (name, value) in sigv4::sign(&request, credentials, region, "bedrock", glue::wall()) {
        headers.set_key(&name.to_ascii_lowercase(), value)?;
    }
    Ok(())
}
