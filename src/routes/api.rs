//! `/v1`: the routes of the OpenAI and Anthropic APIs.
//!
//! 1. Who calls: the gateway key.
//! 2. What is asked: body and headers, bounded.
//! 3. Under which plan: rules, policies, what the request brings itself (`edge::plan`).
//! 4. The chain runs and answers, and the row follows it (`edge::serve`).

use super::reply::Reply;
use super::{Address, auth_off, cors, models};
use crate::domain::chain::Chain;
use crate::domain::key::KeyFile;
use crate::domain::refusal::Refusal;
use crate::domain::request::{self, Asked, Body, Endpoints, Headers, Limits};
use crate::domain::route::{self, Family, Route};
use crate::domain::scripted::Drill;
use crate::domain::settings::Settings;
use crate::domain::time::Instant;
use crate::edge::bindings::settings;
use crate::edge::glue::{self, Head};
use crate::edge::inquiry::Inquiry;
use crate::edge::job::{Job, KeyName};
use crate::edge::keys::{self, Caller};
use crate::edge::plan::{self, Made};
use crate::edge::serve::{self, Answer};
use crate::edge::{admins, body, documents, ready, recorder};
use std::rc::Rc;
use web_sys::{Request, Response};
use worker::{Context, Env};

/// A request to `/v1`, its head read.
struct Inbound<'a> {
    request: &'a Request,
    method: &'a str,
    address: &'a Address,
    /// After `/v1`.
    path: &'a str,
    headers: Rc<Headers>,
    colo: Option<String>,
    settings: Rc<Settings>,
    request_id: String,
    env: &'a Env,
    context: &'a Context,
}

/// A request whose plan is made, on its way to the chain.
struct Asking {
    route: Route,
    body: Body,
    bytes: Vec<u8>,
    drill: Option<Drill>,
    caller: Option<Caller>,
}

/// Answers a request to `/v1`; `path` is what follows it.
pub async fn handle(
    request: &Request,
    head: Head,
    address: &Address,
    path: &str,
    env: &Env,
    context: &Context,
) -> Response {
    let headers: Rc<Headers> = Rc::new(head.headers.into_iter().collect());
    let given = request::request_id(&headers);
    let request_id = given.clone().ok().flatten().unwrap_or_else(new_request_id);
    if head.method == "OPTIONS" && is_route(path) {
        let reply = cors::preflight(&headers, address, env, methods_of(path));
        return without_call(reply, &request_id).under(&request_id, Family::Chat).into_response();
    }
    let family = family_of(path, &headers);
    let (settings, method, colo) = (settings(env), head.method.as_str(), head.colo);
    let inbound = Inbound { request, method, address, path, headers, colo, settings, request_id, env, context };
    let answered = match given {
        Ok(_) => inbound.answer(family).await,
        Err(refusal) => Err(refusal),
    };
    let reply = match answered {
        Ok(reply) => reply,
        Err(refusal) => {
            body::take_rest(request).await;
            inbound.refuse(family, &refusal)
        }
    };
    reply.saying(cors::allowance(&inbound.headers, address, env)).under(&inbound.request_id, family).into_response()
}

impl Inbound<'_> {
    async fn answer(&self, family: Family) -> Result<Reply, Refusal> {
        if self.headers.value("cdn-loop").is_some_and(loops) {
            let message = "this request already passed through this gateway: a provider's base_url leads back to it";
            return Err(Refusal::new(508, "loop_detected", message));
        }
        if let Some(rest) = self.path.strip_prefix("/models").filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            self.allow_method(&["GET", "HEAD"])?;
            return self.models(family, rest).await;
        }
        if self.path == "/report" {
            self.allow_method(&["POST"])?;
            body::take_rest(self.request).await;
            let reply = Reply::json(200, &serde_json::json!({"status": "ok"}));
            return Ok(without_call(reply, &self.request_id));
        }
        let Some(route) = Route::parse(self.path) else {
            return Err(Refusal::new(404, "not_found", route::not_found(&self.address.path)));
        };
        self.allow_method(&["POST"])?;
        self.complete(route).await
    }

    fn allow_method(&self, allowed: &[&str]) -> Result<(), Refusal> {
        match allowed.contains(&self.method) {
            true => Ok(()),
            false => {
                let method = self.method;
                let message = format!("{method} is not allowed on /v1{}; use {}", self.path, allowed.join(" or "));
                Err(Refusal::new(405, "method_not_allowed", message))
            }
        }
    }

    async fn models(&self, family: Family, rest: &str) -> Result<Reply, Refusal> {
        let caller = self.caller().await?;
        let own_host = &self.address.authority;
        let reply = match rest.strip_prefix('/') {
            None | Some("") => models::list(self.env, own_host, family, caller.as_ref()).await?,
            Some(id) => models::one(self.env, own_host, family, caller.as_ref(), &decode(id)).await?,
        };
        Ok(without_call(reply, &self.request_id))
    }

    async fn caller(&self) -> Result<Option<Caller>, Refusal> {
        // Without this, any page in the browser of whoever runs the Worker locally could spend its keys.
        let open = auth_off(self.env, self.address) && !cors::is_foreign_page(self.headers.value("origin"));
        keys::authenticate(self.env, &self.headers, open).await
    }

    async fn complete(&self, route: Route) -> Result<Reply, Refusal> {
        let (started, changes) = (glue::now(), documents::changes());
        let caller = self.caller().await?;
        let stale = caller.as_ref().is_some_and(|caller| caller.stale);
        self.complete_for(caller, route, started, changes).await.map_err(|refusal| refusal.under(stale))
    }

    async fn complete_for(
        &self,
        caller: Option<Caller>,
        route: Route,
        started: Instant,
        changes: u64,
    ) -> Result<Reply, Refusal> {
        self.within_budget(caller.as_ref()).await?;
        let bytes = self.body().await?;
        let body = Body::parse(&route, self.headers.value("content-type"), &bytes)?;
        let endpoints = if self.settings.request_endpoints { Endpoints::On } else { Endpoints::Off };
        let limits = Limits { endpoints, own_host: Some(&self.address.authority) };
        let asked = Asked::read(&body, &bytes, &self.headers, limits)?;
        let drill = self.drill(&asked)?;
        let inquiry = self.inquiry(&route, &asked, (&body, &bytes), caller.as_ref(), changes);
        let mut made = plan::make(&inquiry).await?;
        if let Some(drill) = &drill {
            ready::apart(&mut made.prospects, &made.plan, drill);
        }
        let chain =
            Chain::new(made.plan.clone(), std::mem::take(&mut made.prospects), asked.leave, glue::seed(), started)
                .within(asked.patience, started);
        let asking = Asking { route, body, bytes, drill, caller };
        let job = self.job(asking, made, started);
        Ok(match serve::serve(Rc::new(job), chain, self.context).await {
            Answer::Served(response, said) => Reply::served(response).saying(said),
            Answer::Failed(last, said) => Reply::failed(&last).saying(said),
        })
    }

    fn inquiry<'a>(
        &'a self,
        route: &'a Route,
        asked: &'a Asked,
        (body, bytes): (&'a Body, &'a [u8]),
        caller: Option<&'a Caller>,
        changes: u64,
    ) -> Inquiry<'a> {
        Inquiry {
            env: self.env,
            route,
            asked,
            headers: &self.headers,
            body,
            bytes,
            caller,
            changes,
            default_provider: &self.settings.default_provider,
            own_host: &self.address.authority,
            sim: self.settings.sim_on && self.address.is_loopback(),
        }
    }

    fn job(&self, asking: Asking, made: Made, started: Instant) -> Job {
        let Asking { route, body, bytes, drill, caller } = asking;
        Job {
            env: self.env.clone(),
            stream: body.stream(),
            route,
            plan: made.plan,
            ready: made.ready,
            bytes,
            body,
            headers: self.headers.clone(),
            signal: Some(self.request.signal()),
            request_id: self.request_id.clone(),
            started,
            identity: made.identity,
            key: caller.map(|caller| KeyName { name: caller.file.name.clone(), id: caller.id }),
            colo: self.colo.clone(),
            mark: if drill.is_some() { "drill".into() } else { String::new() },
            drill,
        }
    }

    /// A drill needs the admin's token, in `x-understudy-admin`.
    fn drill(&self, asked: &Asked) -> Result<Option<Drill>, Refusal> {
        let Some(text) = &asked.drill else { return Ok(None) };
        let header = "x-understudy-admin";
        admins::who(self.env, self.headers.value(header)).map_err(|refusal| match refusal.status {
            // As a bearer a drill has the client's own key.
            401 => {
                Refusal::new(401, refusal.code, format!("{header}: a drill needs the admin token here")).about(header)
            }
            _ => refusal,
        })?;
        Drill::parse(text, &self.settings.default_provider).map(Some)
    }

    /// A key's budget, by what the ledger has counted so far (behind by a flush or two).
    async fn within_budget(&self, caller: Option<&Caller>) -> Result<(), Refusal> {
        let Some(caller) = caller.filter(|caller| limited(&caller.file)) else { return Ok(()) };
        let Some(spent) = recorder::spent(self.env, &caller.id).await else { return Ok(()) };
        let over = |limit: Option<f64>, micro_usd: u64| limit.is_some_and(|usd| micro_usd as f64 >= usd * 1e6);
        let message = match () {
            () if over(caller.file.budget_usd_per_day, spent.today_micro_usd) => "this key's budget for today is spent",
            () if over(caller.file.budget_usd_per_month, spent.month_micro_usd) => {
                "this key's budget for this month is spent"
            }
            () => return Ok(()),
        };
        Err(Refusal::new(429, "budget_exceeded", message))
    }

    /// The body, bounded by `MAX_BODY_BYTES`.
    async fn body(&self) -> Result<Vec<u8>, Refusal> {
        let coding = self.headers.value("content-encoding").map(str::trim);
        match coding.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity")) {
            None => {
                let stated = self.headers.value("content-length");
                body::bounded(self.request, stated, self.settings.max_body_bytes).await
            }
            Some(coding) => {
                let message = format!("content-encoding: {coding} is not taken; send the body as it is");
                Err(Refusal::new(415, "unsupported_content_encoding", message).about("content-encoding"))
            }
        }
    }

    /// An error before any plan existed: counted in metrics only.
    fn refuse(&self, family: Family, refusal: &Refusal) -> Reply {
        recorder::refused(self.env, refusal.code);
        let env = self.env.clone();
        self.context.wait_until(async move { recorder::settle(&env).await });
        // Of a route that is none, or is not called so, everyone is told in one shape.
        let is_route = !matches!(refusal.code, "not_found" | "method_not_allowed");
        let mut reply = Reply::refusal(if is_route { family } else { Family::Chat }, refusal, &self.request_id);
        if refusal.status == 405 {
            reply = reply.header("allow", methods_of(self.path));
        }
        if let Some(policy) = &refusal.policy {
            reply = reply.header("x-understudy-policy", policy);
        }
        if let Some(rule) = &refusal.rule {
            reply = reply.header("x-understudy-rule", rule);
        }
        if refusal.stale {
            reply = reply.header("x-understudy-policy-stale", "true");
        }
        without_call(reply, &self.request_id)
    }
}

/// What every answer of `/v1` says, where no target was called for it.
fn without_call(reply: Reply, request_id: &str) -> Reply {
    reply
        .header("x-understudy-request-id", request_id)
        .header("x-understudy-attempts", "0")
        .header("x-understudy-fallback", "false")
}

fn is_route(path: &str) -> bool {
    is_models(path) || path == "/report" || Route::parse(path).is_some()
}

fn is_models(path: &str) -> bool {
    path.strip_prefix("/models").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn methods_of(path: &str) -> &'static str {
    match is_models(path) {
        true => "GET, HEAD, OPTIONS",
        false => "POST, OPTIONS",
    }
}

fn limited(key: &KeyFile) -> bool {
    key.budget_usd_per_day.is_some() || key.budget_usd_per_month.is_some()
}

fn loops(cdn_loop: &str) -> bool {
    cdn_loop
        .split(',')
        .any(|hop| hop.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("understudy")))
}

fn family_of(path: &str, headers: &Headers) -> Family {
    match Route::parse(path) {
        Some(route) => route.family(),
        None if headers.value("anthropic-version").is_some() => Family::Messages,
        None => Family::Chat,
    }
}

fn new_request_id() -> String {
    let bytes: [u8; 12] = glue::draw().unwrap_or_default();
    ["req_", &base16ct::lower::encode_string(&bytes)].concat()
}

/// A model's id in a path may have its slash and `@` percent-encoded.
fn decode(id: &str) -> String {
    js_sys::decode_uri_component(id).map_or_else(|_| id.to_owned(), String::from)
}
