//! Every binding, variable and secret name, read in one place.
//!
//! | name | kind | meaning |
//! | --- | --- | --- |
//! | `POLICIES` | KV | `policy:<name>`, `provider:<name>`, `key:<sha256>`, `rules`, `models` |
//! | `LEDGER` | Durable Object | class `Ledger` |
//! | `ASSETS` | assets | the dashboard |
//! | `AUTH`, `SIM`, `LEDGER_SHARDS`, ... | variables | [`Settings`] |
//! | `ADMIN_TOKEN`, `ADMIN_TOKENS`, `KEK`, `KEK_PREVIOUS`, `<PROVIDER>_API_KEY`, ... | secrets | read by name |

use super::log;
use crate::domain::settings::Settings;
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

thread_local! {
    static SETTINGS: OnceCell<Rc<Settings>> = const { OnceCell::new() };
}

/// This isolate's settings, read once: variables cannot change within one. What cannot be used as it stands is logged then.
pub fn settings(env: &Env) -> Rc<Settings> {
    SETTINGS.with(|cell| cell.get_or_init(|| Rc::new(read(env))).clone())
}

fn read(env: &Env) -> Settings {
    let (settings, misread) = Settings::read(&|name| text(env, name));
    for variable in misread {
        log::warn("setting_misread", serde_json::json!(variable));
    }
    settings
}

thread_local! {
    static TEXTS: RefCell<LiteMap<String, Option<String>>> = RefCell::default();
}

/// A variable or secret by name, without blanks around it, such as the line end of `echo` or of a file; `None` when it is not
/// set or empty. One written in `wrangler.toml` without quotes comes as a number or a truth value. Read once per isolate: it
/// cannot change within one.
pub fn text(env: &Env, name: &str) -> Option<String> {
    if let Some(known) = TEXTS.with_borrow(|texts| texts.get(name).cloned()) {
        return known;
    }
    let value = js_sys::Reflect::get(env, &JsValue::from_str(name)).ok().and_then(|value| written(&value));
    let value = value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    TEXTS.with_borrow_mut(|texts| {
        if texts.len() < TEXTS_MOST {
            texts.insert(name.to_owned(), value.clone());
        }
    });
    value
}

fn written(value: &JsValue) -> Option<String> {
    let number = || Some(value.as_f64()?.to_string());
    let truth = || Some(value.as_bool()?.to_string());
    value.as_string().or_else(number).or_else(truth)
}

/// Names of variables that are kept: KV documents may name secrets of their own.
const TEXTS_MOST: usize = 500;
