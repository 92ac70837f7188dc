//! Every binding, variable and secret name, read in one place.
//!
//! | name | kind | meaning |
//! | --- | --- | --- |
//! | `POLICIES` | KV | `policy:<name>`, `provider:<name>`, `key:<sha256>`, `rules`, `models` |
//! | `LEDGER` | Durable Object | class `Ledger` |
//! | `ASSETS` | assets | the dashboard |
//! | `AUTH`, `SIM`, `LEDGER_SHARDS`, `POLICY_TTL_MS`, `DEFAULT_PROVIDER`, `MAX_BODY_BYTES`, `REQUEST_ENDPOINTS` | variables | [`Settings`] |
//! | `LEDGER_ATTEMPTS_DAYS`, `LEDGER_MINUTES_HOURS`, `LEDGER_HOURS_DAYS`, `LEDGER_DAYS_DAYS` | variables | [`retention`] |
//! | `ADMIN_TOKEN`, `ADMIN_TOKENS`, `KEK`, `KEK_PREVIOUS`, `<PROVIDER>_API_KEY`, ... | secrets | read by name |

use crate::domain::ledger::query::Retention;
use crate::domain::time::Span;
use litemap::LiteMap;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use wasm_bindgen::JsValue;
use worker::Env;

/// The KV namespace's binding.
pub const POLICIES: &str = "POLICIES";
/// The Durable Object namespace's binding.
pub const LEDGER: &str = "LEDGER";
/// The static assets' binding.
pub const ASSETS: &str = "ASSETS";

/// Variables, read once per isolate: they cannot change within one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `AUTH=off`: requests to a loopback host need no key.
    pub auth_off: bool,
    /// `SIM=on`: provider `sim` answers on a loopback host.
    pub sim_on: bool,
    pub ledger_shards: u32,
    /// Age at which an in-isolate copy of a KV value is read again.
    pub policy_ttl: Span,
    pub default_provider: String,
    pub max_body_bytes: usize,
    pub request_endpoints: bool,
}

thread_local! {
    static SETTINGS: OnceCell<Rc<Settings>> = const { OnceCell::new() };
}

/// This isolate's settings.
pub fn settings(env: &Env) -> Rc<Settings> {
    SETTINGS.with(|cell| cell.get_or_init(|| Rc::new(read(env))).clone())
}

fn read(env: &Env) -> Settings {
    let number = |name: &str| text(env, name).and_then(|value| value.trim().parse::<u64>().ok());
    Settings {
        auth_off: text(env, "AUTH").as_deref() == Some("off"),
        sim_on: text(env, "SIM").as_deref() == Some("on"),
        ledger_shards: number("LEDGER_SHARDS").unwrap_or(4).clamp(1, 1024) as u32,
        policy_ttl: Span(number("POLICY_TTL_MS").unwrap_or(30_000)),
        default_provider: text(env, "DEFAULT_PROVIDER").unwrap_or_else(|| "openai".into()),
        // More than this machine can address is no bound, and not what is left of the number when its upper half is cut off.
        max_body_bytes: number("MAX_BODY_BYTES").map_or(16 << 20, |most| usize::try_from(most).unwrap_or(usize::MAX)),
        request_endpoints: text(env, "REQUEST_ENDPOINTS").as_deref() == Some("on"),
    }
}

/// How long the ledger keeps what it holds: `LEDGER_ATTEMPTS_DAYS` (default 7), `LEDGER_MINUTES_HOURS` (48),
/// `LEDGER_HOURS_DAYS` (90), `LEDGER_DAYS_DAYS` (730); 1 or more each.
pub fn retention(env: &Env) -> Retention {
    let number = |name: &str| text(env, name)?.trim().parse::<u64>().ok().filter(|n| *n > 0);
    let hours = |name: &str, default: Span| number(name).map_or(default, Span::hours);
    let days = |name: &str, default: Span| number(name).map_or(default, Span::days);
    let default = Retention::default();
    Retention {
        attempts: days("LEDGER_ATTEMPTS_DAYS", default.attempts),
        minutes: hours("LEDGER_MINUTES_HOURS", default.minutes),
        hours: days("LEDGER_HOURS_DAYS", default.hours),
        days: days("LEDGER_DAYS_DAYS", default.days),
    }
}

thread_local! {
    static TEXTS: RefCell<LiteMap<String, Option<String>>> = RefCell::default();
}

/// A variable or secret by name, without blanks around it, such as the line end of `echo` or of a file; `None` when it is not
/// set or empty. Read once per isolate: it cannot change within one.
pub fn text(env: &Env, name: &str) -> Option<String> {
    if let Some(known) = TEXTS.with_borrow(|texts| texts.get(name).cloned()) {
        return known;
    }
    let value = js_sys::Reflect::get(env, &JsValue::from_str(name)).ok().and_then(|value| value.as_string());
    let value = value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    TEXTS.with_borrow_mut(|texts| {
        if texts.len() < TEXTS_MOST {
            texts.insert(name.to_owned(), value.clone());
        }
    });
    value
}

/// Names of variables that are kept: KV documents may name secrets of their own.
const TEXTS_MOST: usize = 500;
