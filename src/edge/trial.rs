//! A policy tried without a client: what it would do with a request (explain), and what each of its hops answers (compare).

use super::attempt::{self, Attempted, Body as Answered, Content};
use super::bindings::settings;
use super::documents;
use super::glue::now;
use super::inquiry::Inquiry;
use super::job::{Job, Ready};
use super::plan;
use super::recorder;
use super::upstream::{self, Preview, Stop};
use crate::domain::chain::{self, Call, Clocks, Entry, Leave, Prospect};
use crate::domain::dialect::chat::hosts;
use crate::domain::error::status_of;
use crate::domain::ledger::account::{Terms, ended};
use crate::domain::ledger::row::{AttemptRow, RequestRow};
use crate::domain::outcome::{Class, Failure, KeySlot, SKIPPED, Skip};
use crate::domain::policy::{Commit, Hop, Param, Plan};
use crate::domain::redact::redact_name;
use crate::domain::refusal::Refusal;
use crate::domain::request::{Asked, Body, Endpoints, Headers, Limits};
use crate::domain::route::{Family, Route};
use crate::domain::time::Instant;
use serde_json::value::to_raw_value;
use serde_json::{Map, Value};
use std::rc::Rc;
use std::sync::Arc;
use wasm_bindgen::JsValue;
use worker::Env;

/// Output tokens that a comparison lets each hop make.
const COMPARE_TOKENS: u64 = 256;
/// The marks of rows that stay out of the counters.
const MARK: &str = "compare";

/// What is tried.
pub struct Question<'a> {
    pub env: &'a Env,
    pub policy: &'a str,
    pub route: Route,
    /// The client's body; its model becomes the policy.
    pub body: Map<String, Value>,
    /// The client's headers, for rules, and as far as they go upstream.
    pub headers: Headers,
    /// Every hop is to answer, whole and not at length.
    pub compare: bool,
    pub own_host: &'a str,
    pub sim: bool,
}

/// A request ready to be looked at or sent to any hop.
pub struct Trial {
    job: Rc<Job>,
    prospects: Vec<Prospect>,
    leave: Leave,
    /// Every hop is asked, one whose breaker is open too: its answer is what is to be seen.
    compare: bool,
}

/// A hop that is tried.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    index: usize,
    pub hop: &'a Hop,
    ready: &'a Ready,
    prospect: &'a Prospect,
}

/// What a client's request would meet at a hop.
pub struct Foreseen {
    /// Why it would be passed over.
    pub skip: Option<Skip>,
    /// Whose key its first call would use, whatever the client may.
    pub slot: Option<KeySlot>,
    /// The request as it would go out to it, but for its key.
    pub preview: Option<Preview>,
}

/// What a hop answered.
pub struct Compared {
    pub row: AttemptRow,
    pub body: Option<Value>,
}

impl Trial {
    /// Makes the plan that such a request would run under.
    ///
    /// # Errors
    /// Whatever a client would be refused with.
    pub async fn make(question: Question<'_>) -> Result<Trial, Refusal> {
        let Question { env, policy, route, mut body, headers, compare, own_host, sim } = question;
        body.insert("model".into(), format!("policy/{policy}").into());
        let bytes = Value::Object(body).to_string().into_bytes();
        let body = Body::parse(&route, Some("application/json"), &bytes)?;
        let limits = Limits { endpoints: Endpoints::Off, own_host: Some(own_host) };
        let asked = Asked::read(&body, &bytes, &headers, limits)?;
        let settings = settings(env);
        let inquiry = Inquiry {
            env,
            route: &route,
            asked: &asked,
            headers: &headers,
            body: &body,
            bytes: &bytes,
            caller: None,
            changes: documents::changes(),
            default_provider: &settings.default_provider,
            own_host,
            sim,
        };
        let made = plan::make(&inquiry).await?;
        let plan = match compare {
            true => Arc::new(compared(&made.plan, &made.ready, &route, &body, &bytes)),
            false => made.plan,
        };
        let job = Job {
            env: env.clone(),
            stream: body.stream(),
            route,
            plan,
            ready: made.ready,
            bytes,
            body,
            headers: Rc::new(headers),
            signal: None,
            request_id: recorder::new_id(),
            started: now(),
            identity: made.identity,
            key: None,
            colo: None,
            drill: None,
            mark: MARK.to_owned(),
        };
        Ok(Trial { job: Rc::new(job), prospects: made.prospects, leave: asked.leave, compare })
    }

    /// `<ruleset>/<rule>` of the rule that applies.
    pub fn rule(&self) -> Option<&str> {
        self.job.plan.rule.as_deref()
    }

    /// The hops, in the order in which they would be tried.
    pub fn places(&self) -> impl Iterator<Item = Place<'_>> {
        let hops = self.job.plan.hops.iter().zip(self.job.ready.iter()).zip(&self.prospects).enumerate();
        hops.map(|(index, ((hop, ready), prospect))| Place { index, hop, ready, prospect })
    }

    /// The key slot that a hop's first call would use if the caller may come to it, or why there would be none.
    ///
    /// # Errors
    /// The skip.
    pub fn slot(&self, place: Place<'_>) -> Result<KeySlot, Skip> {
        match self.skip(place, true) {
            Some(skip) => Err(skip),
            None => Ok(place.prospect.slots.first().copied().unwrap_or(KeySlot::Managed)),
        }
    }

    /// Why a hop would be passed over, as far as shows before its request is written.
    fn skip(&self, place: Place<'_>, reached: bool) -> Option<Skip> {
        let entry = Entry { reached, breaker: place.hop.breaker.as_ref().filter(|_| !self.compare) };
        place.prospect.skip.clone().or_else(|| chain::foresee(place.prospect, entry, now()))
    }

    /// What a client with these headers would meet at a hop.
    pub fn foresee(&self, place: Place<'_>) -> Foreseen {
        let slot = self.slot(place).ok();
        let (skip, preview) = match self.preview(place, slot.unwrap_or(KeySlot::Managed)) {
            Ok(preview) => (None, Some(preview)),
            Err(unfit) => (Some(unfit), None),
        };
        // What the wire cannot carry is judged behind boundaries, and before keys, consent and breakers.
        let unfit = place.prospect.skip.clone().or(skip);
        let reached = self.leave.reaches(place.index, self.job.plan.consent);
        Foreseen { skip: unfit.or_else(|| self.skip(place, reached)), slot, preview }
    }

    fn preview(&self, place: Place<'_>, slot: KeySlot) -> Result<Preview, Skip> {
        upstream::preview(&self.job, place.hop, place.ready, slot).map_err(|stop| match stop {
            Stop::Incompatible(feature) => Skip::Incompatible(feature),
            Stop::Failed(failure) => Skip::Incompatible(failure.reason),
        })
    }

    /// The keys with which its hops would be called.
    pub fn secrets(&self) -> Vec<&str> {
        self.job.secrets()
    }

    /// Sends the request to one hop, once, and measures the answer.
    pub async fn compare(&self, place: Place<'_>, slot: KeySlot) -> Compared {
        let Place { index, hop, ready, .. } = place;
        let clocks = Clocks::within(&hop.timeouts, self.job.plan.deadline);
        let began = now();
        let call = Call { id: index as u32, hop: index, slot, clocks, hedge_at: None };
        let attempted = attempt::attempt(&self.job, &call, Content::default()).await;
        let row = AttemptRow {
            call: true,
            key: slot.name().to_owned(),
            ms: now().since(began).0,
            ..self.row_of(place, began)
        };
        self.judge(row, attempted, ready)
    }

    fn row_of(&self, place: Place<'_>, at: Instant) -> AttemptRow {
        let model = redact_name(&place.hop.target.to_string(), &self.secrets());
        AttemptRow { seq: place.index as u32, at: at.0, model, ..AttemptRow::default() }
    }

    fn judge(&self, row: AttemptRow, attempted: Attempted, ready: &Ready) -> Compared {
        let (failure, marks, status, body) = match &attempted {
            Attempted::Served(served) => (None, &served.marks, Some(served.status), whole(&served.body)),
            Attempted::Failed(failure, marks) => (Some(failure), marks, failure.status, None),
            Attempted::Incompatible(feature) => {
                return Compared { row: passed_over(row, "incompatible", feature.clone()), body: None };
            }
        };
        let headers_ms = marks.headers.map(|(at, _)| at.since(Instant(row.at)).0);
        let row = AttemptRow { status, headers_ms, ttft_ms: marks.ttft_ms, ..row };
        let (keys, prompt_tokens) = (&*self.job.secrets(), &|| self.job.prompt_tokens());
        let terms = Terms { facts: Some(&ready.facts), prompt_tokens, keys };
        Compared { row: ended(row, failure, &marks.measured(), terms), body }
    }

    /// The row of a hop that is not called.
    pub fn skipped(&self, place: Place<'_>, skip: &Skip) -> AttemptRow {
        passed_over(self.row_of(place, now()), skip.name(), skip.detail().unwrap_or_default().to_owned())
    }

    /// Records a comparison, outside the counters.
    pub fn record(&self, attempts: Vec<AttemptRow>) {
        let job = &self.job;
        let outcome = attempts.iter().find(|attempt| attempt.succeeded()).or(attempts.first());
        let status = outcome.map_or(200, status_for_a_client);
        let outcome = outcome.map_or_else(|| SKIPPED.to_owned(), |attempt| attempt.outcome.clone());
        recorder::record(&job.env, RequestRow { outcome, status, attempts, ..job.row() });
    }
}

/// The status that a client would have been told, had this attempt been its last.
fn status_for_a_client(attempt: &AttemptRow) -> u16 {
    let class = Class::ALL.into_iter().find(|class| class.name() == attempt.outcome);
    match class {
        Some(class) => {
            status_of(&Failure { status: attempt.status, ..Failure::new(class, String::new()) }, Family::Chat)
        }
        None if attempt.succeeded() => attempt.status.unwrap_or(200),
        // Passed over: what it lacks is the owner's to mend.
        None => 503,
    }
}

fn passed_over(row: AttemptRow, outcome: &str, reason: String) -> AttemptRow {
    AttemptRow { call: false, key: String::new(), outcome: outcome.to_owned(), reason, ..row }
}

fn whole(body: &Answered) -> Option<Value> {
    match body {
        Answered::Whole(bytes) => serde_json::from_slice(&bytes_of(bytes)).ok(),
        Answered::Stream { .. } => None,
    }
}

fn bytes_of(body: &JsValue) -> Vec<u8> {
    js_sys::Uint8Array::new(body).to_vec()
}

/// The plan of a comparison: every hop's output capped, in the field that its host has for it, and every answer read whole.
fn compared(plan: &Plan, ready: &[Ready], route: &Route, body: &Body, bytes: &[u8]) -> Plan {
    let mut plan = plan.clone();
    for (hop, ready) in plan.hops.iter_mut().zip(ready) {
        let caps = caps(route, body, bytes, hop, ready);
        hop.params.extend(caps);
    }
    if plan.stream.commit == Commit::Headers {
        plan.stream.commit = Commit::default();
    }
    plan
}

/// What a hop is sent beside its own params: the caps that it would be sent, as far as they are higher, else one of ours.
fn caps(route: &Route, body: &Body, bytes: &[u8], hop: &Hop, ready: &Ready) -> Vec<Param> {
    let Body::Json(envelope) = body else { return Vec::new() };
    let (fields, default): (&[&str], &str) = match route {
        Route::Chat => {
            (&["max_completion_tokens", "max_tokens"], hosts::max_tokens(&hop.target.provider, &ready.model_id))
        }
        Route::Responses => (&["max_output_tokens"], "max_output_tokens"),
        Route::Messages | Route::Completions => (&["max_tokens"], "max_tokens"),
        _ => return Vec::new(),
    };
    let said = |field: &str| serde_json::from_slice::<Value>(envelope.value_under(bytes, &hop.params, field)?).ok();
    let asked = fields.iter().filter_map(|field| Some((*field, said(field)?.as_u64()?)));
    let asked: Vec<(&str, u64)> = asked.collect();
    let ours = [(default, u64::MAX)];
    let capped = if asked.is_empty() { ours.as_slice() } else { asked.as_slice() };
    // A budget for thinking is part of the tokens, and must be less than they are.
    let budget = said("thinking").and_then(|thinking| thinking["budget_tokens"].as_u64()).unwrap_or(0);
    let most = COMPARE_TOKENS.saturating_add(budget);
    let capped = capped.iter().filter(|(_, wanted)| *wanted > most);
    let value = to_raw_value(&most).ok();
    capped.map(|(field, _)| Param { field: (*field).to_owned(), value: value.clone() }).collect()
}
