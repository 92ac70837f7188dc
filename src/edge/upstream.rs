//! From a hop to a request on the wire: URL, headers, authentication, body.
//!
//! What goes up: the headers of `outgoing.rs`, the provider's key, and the client's body less what Understudy consumed.

use super::bindings::text;
use super::glue;
use super::job::{Job, Ready};
use super::keys::Kind;
use super::line::{Answer, Line, Outbound, Reading};
use super::outgoing::{Outgoing, dressed};
use super::{sim, vertex};
use crate::domain::chain::Call;
use crate::domain::dialect::chat::signature;
use crate::domain::dialect::decoder::Voice;
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::said::Expected;
use crate::domain::dialect::{Destination, Encoded, Incompatible, Wire, envelope, json_text, translate};
use crate::domain::outcome::{Class, Failure, KeySlot, Phase};
use crate::domain::policy::{Hop, Param, RelayMode, UsageMode};
use crate::domain::provider::Auth;
use crate::domain::relay::Setup;
use crate::domain::request::{Body, Envelope};
use crate::domain::route::Route;
use crate::domain::sigv4;
use crate::domain::sim::Played;
use crate::domain::time::Span;

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

/// Where a request is written to go.
#[derive(Clone, Copy)]
pub struct Leg<'a> {
    pub hop: &'a Hop,
    pub ready: &'a Ready,
    pub wire: Wire,
}

impl<'a> Leg<'a> {
    fn of(job: &Job, hop: &'a Hop, ready: &'a Ready) -> Result<Leg<'a>, Stop> {
        match ready.wire {
            Some(wire) => Ok(Leg { hop, ready, wire }),
            None => Err(Stop::Incompatible(job.route.name().to_owned())),
        }
    }

    fn destination(self) -> Destination<'a> {
        let id = &self.ready.model_id;
        Destination {
            wire: self.wire,
            provider: &self.hop.target.provider,
            model: self.ready.provider.known_as(&self.hop.target.model, id),
            id,
            max_output_tokens: self.ready.facts.max_output_tokens,
        }
    }
}

/// Builds the call of a step.
///
/// # Errors
/// The provider's URL lacks a variable, or the request cannot be carried on the hop's wire.
pub async fn prepare(job: &Job, call: &Call, hop: &Hop, ready: &Ready) -> Result<Prepared, Stop> {
    let leg = Leg::of(job, hop, ready)?;
    let encoded = encode(job, leg)?;
    let (send, encoded) = match sim::scripted(job, hop, ready, leg.wire) {
        Some(played) => (Sendable::Scripted(played), encoded),
        None => {
            let mut draft = Draft::of(job, leg, call.slot, encoded)?;
            draft.authenticate().await?;
            let Draft { url, headers, mut encoded, .. } = draft;
            let body = std::mem::take(&mut encoded.body);
            (Sendable::Outbound(Outbound { url, headers: headers.0, body }), encoded)
        }
    };
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
    let leg = Leg::of(job, hop, ready)?;
    let mut draft = Draft::of(job, leg, slot, encode(job, leg)?)?;
    draft.mask();
    let Draft { url, headers, encoded: Encoded { body, dropped, .. }, .. } = draft;
    Ok(Preview { url, headers: headers.0, body, dropped })
}

/// The body for this hop, always from the client's original one.
fn encode(job: &Job, leg: Leg<'_>) -> Result<Encoded, Stop> {
    let Leg { hop, ready, wire } = leg;
    let plain = |body| Ok(Encoded { body, dropped: Vec::new(), reply: Reply::default() });
    match &job.body {
        Body::Json(envelope) if wire.rewrites(&job.route) => {
            let encoded = translated(&job.route, envelope, &job.bytes, leg);
            let encoded = encoded.map_err(|feature| Stop::Incompatible(feature.0))?;
            let encoded = with_betas(job, wire, encoded);
            Ok(match job.route {
                Route::CountTokens => Encoded { body: envelope::counting(encoded.body, &leg.destination()), ..encoded },
                _ => encoded,
            })
        }
        Body::Json(envelope) => {
            let usage = asks_usage(job, wire).then(|| envelope.usage_param(&job.bytes)).flatten();
            let turns = match job.route {
                Route::Responses => envelope.input_param(&job.bytes),
                Route::Chat if signature::is_wanted(leg.destination().model) => envelope.signed_param(&job.bytes),
                _ => None,
            };
            let params: Vec<Param> = hop.params.iter().cloned().chain(usage).chain(turns).collect();
            plain(envelope.rewrite(&job.bytes, &ready.model_id, &params))
        }
        Body::Form(form) => plain(form.rewrite(&job.bytes, &ready.model_id, &hop.params)),
    }
}

/// A client's body on a wire that is not its own.
///
/// # Errors
/// The feature that cannot be carried there.
pub fn translated(route: &Route, envelope: &Envelope, bytes: &[u8], leg: Leg<'_>) -> Result<Encoded, Incompatible> {
    let cleaned = envelope.cleaned(bytes, &leg.hop.params);
    translate::translate_request(route.family(), &cleaned, &leg.destination(), &leg.ready.facts, leg.hop.translate)
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
        voice: wire.translates(&job.route).then(|| voice(job, hop, reply)),
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

/// A call in the making.
struct Draft<'a> {
    job: &'a Job,
    leg: Leg<'a>,
    slot: KeySlot,
    url: String,
    headers: Outgoing,
    encoded: Encoded,
}

impl<'a> Draft<'a> {
    /// All of it but the key.
    fn of(job: &'a Job, leg: Leg<'a>, slot: KeySlot, encoded: Encoded) -> Result<Draft<'a>, Failure> {
        let (provider, region) = (&leg.ready.provider, leg.hop.target.region.as_deref());
        let vars = |name: &str| text(&job.env, name);
        let url = provider.url(&job.route, leg.wire, &leg.ready.model_id, region, job.stream, vars);
        let url =
            url.map_err(|missing| Failure::new(Class::Unreachable, format!("the variable {} is not set", missing.0)))?;
        Ok(Draft { job, leg, slot, url, headers: dressed(job, leg.ready, leg.wire, slot), encoded })
    }

    /// How its key travels.
    fn auth(&self) -> Auth {
        self.leg.ready.provider.key_of(&self.job.route, self.leg.wire, self.slot)
    }

    /// Writes what is no key where the key would stand.
    fn mask(&mut self) {
        match self.auth() {
            Auth::None => {}
            Auth::Header { name, scheme: Some(scheme) } => self.headers.set(&name, format!("{scheme} {REDACTED}")),
            Auth::Header { name, scheme: None } => self.headers.set(&name, REDACTED),
            Auth::Aws | Auth::Google => self.headers.set("authorization", REDACTED),
        }
    }

    async fn authenticate(&mut self) -> Result<(), Failure> {
        let auth = self.auth();
        let Draft { job, leg, slot, url, headers, encoded } = self;
        let credential = leg.ready.credentials.iter().find(|credential| credential.slot == *slot);
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
                let vars = |name: &str| text(&job.env, name);
                let region = leg.ready.provider.region(leg.hop.target.region.as_deref(), vars).unwrap_or_default();
                sign(headers, url, &encoded.body, credentials, &region)
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
