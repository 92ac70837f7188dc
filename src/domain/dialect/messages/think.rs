//! How hard Claude should think, from OpenAI's word for effort.
//!
//! ```text
//! effort    adaptive models            models with a budget (tokens, as Vertex' compatible endpoint has it)
//! none      disabled, where it can be  disabled
//! minimal   effort low                 1,024
//! low       low                        1,024
//! medium    medium                     8,192
//! high      high                       24,576
//! xhigh     xhigh, else high           32,768
//! max       max                        32,768
//! ```
//! A budget leaves at least a fifth of `max_tokens` to the answer and is never below 1,024, or there is none.

use crate::domain::dialect::conversation::Effort;
use crate::domain::dialect::messages::claude::{Claude, Thinks};
use serde_json::{Value, json};

/// The least budget that Anthropic takes.
const BUDGET_MIN: u64 = 1_024;

/// What to write for an effort.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// `thinking`
    pub thinking: Option<Value>,
    /// `output_config.effort`
    pub effort: Option<Effort>,
    /// The wish could not be met.
    pub lost: bool,
}

/// Plans the thinking of one answer. `clash`: a tool is forced, or the answer or its call was begun without its thinking block;
/// a budget stands none of it.
pub fn plan(claude: &Claude, effort: Effort, max_tokens: u64, clash: bool) -> Plan {
    let lost = Plan { lost: true, ..Plan::default() };
    match (claude.thinks, effort) {
        (Thinks::Never, Effort::None) => Plan::default(),
        (Thinks::Never, _) => lost,
        (_, Effort::None) if claude.can_rest => Plan { thinking: Some(json!({"type": "disabled"})), ..Plan::default() },
        (_, Effort::None) => lost,
        (Thinks::Adaptive, _) => {
            Plan { thinking: Some(json!({"type": "adaptive"})), effort: Some(adaptive(claude, effort)), lost: false }
        }
        (Thinks::Budget, _) if clash || max_tokens <= BUDGET_MIN => lost,
        (Thinks::Budget, _) => {
            let share = (max_tokens / 5).saturating_mul(4).max(BUDGET_MIN);
            let budget = budget(effort).min(share);
            Plan { thinking: Some(json!({"type": "enabled", "budget_tokens": budget})), ..Plan::default() }
        }
    }
}

const fn adaptive(claude: &Claude, effort: Effort) -> Effort {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => Effort::Low,
        Effort::Xhigh if !claude.xhigh => Effort::High,
        Effort::Medium | Effort::High | Effort::Xhigh | Effort::Max => effort,
    }
}

const fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => BUDGET_MIN,
        Effort::Medium => 8_192,
        Effort::High => 24_576,
        Effort::Xhigh | Effort::Max => 32_768,
    }
}
