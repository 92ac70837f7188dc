//! Why no plan can be made of a request, in the words of the contract.

use crate::domain::document::path::quoted;
use crate::domain::document::shape::nearest;
use crate::domain::document::{BadDocument, Kind};
use crate::domain::policy::resolve::explain;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Picked;
use crate::domain::target::BadModel;

/// 404 `policy_not_found`, with the nearest of the names that there are, when one is close.
pub fn policy_not_found<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Refusal {
    let near = nearest(name, names.filter(|near| *near != name));
    let hint = near.map(|near| format!("; did you mean \"policy/{near}\"?")).unwrap_or_default();
    let message = format!("there is no policy {}{hint}", quoted(name));
    Refusal::new(404, "policy_not_found", message).about("model")
}

/// 400: `field` names no model.
pub(super) fn bad_model(field: &str, written: &str, bad: BadModel) -> Refusal {
    let code = match bad {
        BadModel::Invalid(_) | BadModel::BadPolicyName(_) => "invalid_model",
        BadModel::UnknownProvider(_) => "unknown_provider",
    };
    // Other gateways name a model by its author: here what stands before the slash is who serves it.
    let hint = match bad {
        BadModel::UnknownProvider(_) => {
            format!(" (a model of OpenRouter's is {})", quoted(&["openrouter/", written].concat()))
        }
        BadModel::Invalid(_) | BadModel::BadPolicyName(_) => String::new(),
    };
    Refusal::field(code, field, format!("{}{hint}", explain(written, bad)))
}

/// 400: `field` names no provider.
pub(super) fn bad_provider(field: &str, name: &str) -> Refusal {
    let message = format!("there is no provider {}: none of that name is built in or configured", quoted(name));
    Refusal::field("unknown_provider", field, message)
}

/// 403: the key does not allow the model that `field` names, or denies it.
pub(super) fn not_allowed(field: &str, model: &str) -> Refusal {
    let message = format!("{field}: this API key may not use {}", quoted(model));
    Refusal::new(403, "model_not_allowed", message).about(field)
}

/// 403: a rule denies the request, in its own words.
pub(super) fn denied(rule: &Picked<'_>, message: &str) -> Refusal {
    let refusal = Refusal::new(403, "model_not_allowed", message).about("model");
    Refusal { rule: Some(rule.label()), ..refusal }
}

/// A document that cannot be used: the owner's is a 500 of its kind, what a request carries is a 400.
impl From<BadDocument> for Refusal {
    fn from(bad: BadDocument) -> Refusal {
        let status = if bad.kind == Kind::Request { 400 } else { 500 };
        Refusal::new(status, bad.kind.error_code(), bad.to_string())
    }
}
