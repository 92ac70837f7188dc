//! Which policy a request runs under, and by which rule: decided once, before the documents of the plan are loaded.

use super::refusals::{bad_model, bad_provider, denied, not_allowed};
use crate::domain::key::KeyFile;
use crate::domain::policy::file::HopFile;
use crate::domain::policy::resolve::World;
use crate::domain::refusal::Refusal;
use crate::domain::request::{Asked, Brought, Headers, Identity};
use crate::domain::route::Route;
use crate::domain::rules::{Facts, Picked, Rules};
use crate::domain::target::{BadModel, ModelRef, Target};

/// A request and what governs it beside policies.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub asked: &'a Asked,
    pub route: &'a Route,
    pub headers: &'a Headers,
    /// The gateway key's document, already found usable.
    pub key: Option<&'a KeyFile>,
    pub rules: &'a Rules,
}

/// Where a request starts from.
#[derive(Clone, Debug)]
pub struct Course<'a> {
    pub start: Start,
    pub rule: Option<Picked<'a>>,
    /// Who the request is for, the key's word before its own.
    pub identity: Identity,
    pub(super) request: Request<'a>,
}

/// What the first hop comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A stored policy of that name.
    Policy(String),
    /// A plain model under the built-in policy.
    Plain(Target),
}

impl<'a> Course<'a> {
    /// Judges the models that the request names, and finds its rule and its policy. Of the world, only the providers that the
    /// request names need be loaded.
    ///
    /// # Errors
    /// 400 `invalid_model`, 403 `model_not_allowed` by the key, then by a rule, and 400 `unknown_provider` where neither names a policy
    /// in the model's place, in this order.
    pub fn choose(request: Request<'a>, world: World<'_>) -> Result<Course<'a>, Refusal> {
        let (name, model) = judge_models(&request, world)?;
        let identity = request.asked.identity.clone().under(request.key);
        let rule = request.rules.pick(&facts(&request, &identity, &name));
        if let Some((rule, message)) = rule.and_then(|rule| Some((rule, rule.then.deny.as_deref()?))) {
            return Err(denied(&rule, message));
        }
        let used = rule.and_then(|rule| rule.then.use_policy.clone()).map(ModelRef::Policy);
        let start = match (used.map_or(model, Ok), request.key.and_then(|key| key.policy.clone())) {
            (Ok(ModelRef::Policy(name)), _) | (_, Some(name)) => Start::Policy(name),
            (Ok(ModelRef::Target(target)), None) => Start::Plain(target),
            (Err(unknown), None) => return Err(Refusal { rule: rule.map(|rule| rule.label()), ..unknown }),
        };
        Ok(Course { start, rule, identity, request })
    }

    /// The policy to load, with all that it nests.
    pub fn policy(&self) -> Option<&str> {
        match &self.start {
            Start::Policy(name) => Some(name),
            Start::Plain(_) => None,
        }
    }

    /// Who named the policy, where it was not the request: its rule, or the gateway key.
    pub fn named_by(&self) -> Option<String> {
        let is_asked = self.request.asked.named().next().is_some_and(|model| model.starts_with("policy/"));
        match self.rule.filter(|rule| rule.then.use_policy.is_some()) {
            Some(rule) => Some(format!("rule {:?}", rule.rule)),
            None => (self.policy().is_some() && !is_asked).then(|| "this API key's own policy".to_owned()),
        }
    }

    /// The hops that the rule and the request bring: what they refer to is to be loaded too.
    pub fn hops(&self) -> impl Iterator<Item = &'a HopFile> {
        let rule = self.rule.and_then(|rule| rule.then.fallback.as_ref());
        let brought = self.request.asked.fallback.as_ref().map(|brought| &brought.hops);
        rule.into_iter().chain(brought).flatten()
    }

    /// Under what name its plan may be kept for other requests; `None` where the plan depends on this request alone: on what
    /// it overrides, that it is sent again, its own provider keys, or facts that a denying rule asks for. A plan that is drawn
    /// by weight differs all the same: see [`Tree::draws`](crate::domain::policy::tree::Tree::draws).
    pub fn shared_name(&self) -> Option<String> {
        let Request { asked, route, rules, .. } = &self.request;
        // Of a request that an SDK sends again the plan has no retries: nobody else's may be so.
        let differs = asked.overrides_anything() || asked.again || !asked.own_keys.map().is_empty();
        if differs || rules.denies() {
            return None;
        }
        let rule = self.rule.map(|rule| rule.label()).unwrap_or_default();
        let start = match &self.start {
            Start::Policy(name) => format!("policy/{name}"),
            Start::Plain(target) => target.to_string(),
        };
        Some([route.name(), " ", &rule, " ", &start].concat())
    }

    /// A refusal of this request, with the rule that led to it.
    pub fn blamed(&self, refusal: Refusal) -> Refusal {
        let rule = self.rule.map(|rule| rule.label());
        Refusal { rule: refusal.rule.clone().or(rule), ..refusal }
    }

    /// What rules are asked of a model under this request.
    pub(super) fn facts<'b>(&'b self, model: &'b str) -> Facts<'b> {
        facts(&self.request, &self.identity, model)
    }
}

fn facts<'b>(request: &Request<'b>, identity: &'b Identity, model: &'b str) -> Facts<'b> {
    Facts {
        model,
        route: request.route.name(),
        user: identity.user.as_deref(),
        group: identity.group.as_deref(),
        key: request.key.map(|key| key.name.as_str()),
        stream: request.asked.stream,
        metadata: &identity.metadata,
        headers: request.headers,
    }
}

/// A model that a request names. At an endpoint of its own a name is the endpoint's, whatever stands before its slash.
pub(super) fn read_model(written: &str, brought: Option<&Brought>, world: World<'_>) -> Result<ModelRef, BadModel> {
    let parsed = ModelRef::parse(written, world.default_provider, world.provider);
    match (parsed, brought.and_then(|brought| brought.endpoint.as_ref())) {
        (Err(BadModel::UnknownProvider(_)), Some(_)) => Ok(ModelRef::Target(Target {
            provider: world.default_provider.to_owned(),
            model: written.to_owned(),
            region: None,
        })),
        (parsed, _) => parsed,
    }
}

/// The model asked for, as rules compare it and as it was read, after it and every model that the request brings were judged. That
/// its provider is unknown refuses nothing yet: it may be a name for which a rule or the key has a policy.
fn judge_models(request: &Request<'_>, world: World<'_>) -> Result<(String, Result<ModelRef, Refusal>), Refusal> {
    let asked = request.asked;
    let named = |(index, written): (usize, &str)| {
        let brought = asked.fallback.as_ref().filter(|_| index > 0);
        let field = brought.map_or_else(|| "model".to_owned(), |brought| brought.path(index - 1));
        (field, written.to_owned(), read_model(written, brought, world))
    };
    let named: Vec<_> = asked.named().enumerate().map(named).collect();
    for (field, written, parsed) in &named {
        if let Err(bad @ (BadModel::Invalid(_) | BadModel::BadPolicyName(_))) = parsed {
            return Err(bad_model(field, written, bad.clone()));
        }
    }
    for (field, written, parsed) in &named {
        // A model of no known provider is judged as it is written: before it is told that it does not exist.
        let model = parsed.as_ref().map_or_else(|_| written.clone(), ModelRef::to_string);
        let denied = |key: &KeyFile| field == "model" && key.denies(&model, world.default_provider);
        if request.key.is_some_and(|key| !key.allows(&model, world.default_provider) || denied(key)) {
            return Err(not_allowed(field, &model));
        }
    }
    let mut asked_for = None;
    for (index, (field, written, parsed)) in named.into_iter().enumerate() {
        let brought = asked.fallback.as_ref().filter(|_| index > 0);
        let refused = |bad| match (bad, brought.and_then(|brought| brought.provider)) {
            (BadModel::UnknownProvider(name), Some(field)) => bad_provider(field, &name),
            (bad, _) => bad_model(&field, &written, bad),
        };
        let model = parsed.map_err(refused);
        match brought {
            None => asked_for = Some((model.as_ref().map_or_else(|_| written.clone(), ModelRef::to_string), model)),
            Some(_) => drop(model?),
        }
    }
    asked_for.ok_or_else(|| Refusal::new(400, "missing_required_parameter", "model: missing").about("model"))
}
