//! What an isolate tells `control` and what it knows from there: usage and spend by gateway key, refusals, circuits.
//!
//! As with batches of rows, what was told and not answered is told again under its number.

use crate::domain::breaker::BreakerSnapshot;
use crate::domain::ledger::batch::LEASE;
use crate::domain::ledger::control::{Spent, Sync, Synced, Usage, day_of};
use crate::domain::ledger::row::RequestRow;
use crate::domain::time::Instant;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Keys whose spend an isolate remembers; beyond that it forgets all and asks again.
const KEYS_KNOWN: usize = 10_000;
/// Codes of refusals that are told apart; the rest are `other`.
const CODES: usize = 100;

type Days = BTreeMap<String, BTreeMap<String, Usage>>;

/// One isolate's side of the object `control`.
#[derive(Debug)]
pub struct Desk {
    isolate: String,
    number: u64,
    usage: Days,
    refused: BTreeMap<String, u64>,
    unanswered: Option<(Rc<Sync>, Instant)>,
    last_edition: u64,
    /// As `control` last said, without what is in `usage` and `unanswered`.
    spent: BTreeMap<String, Spent>,
}

impl Desk {
    /// An empty one. `isolate` must differ from every other isolate's.
    pub fn new(isolate: String) -> Desk {
        Desk {
            isolate,
            number: 0,
            usage: Days::new(),
            refused: BTreeMap::new(),
            unanswered: None,
            last_edition: 0,
            spent: BTreeMap::new(),
        }
    }

    /// Charges a request to its key: successful attempts alone. Drills and comparisons are nobody's.
    pub fn charge(&mut self, row: &RequestRow) {
        let Some(key_id) = row.key_id.as_ref().filter(|_| row.counts()) else { return };
        let tokens = row.tokens();
        let used = Usage {
            requests: 1,
            succeeded: row.succeeded().into(),
            micro_usd: row.cost_micro_usd(),
            input: tokens.input,
            output: tokens.output,
        };
        let days = self.usage.entry(key_id.clone()).or_default();
        days.entry(day_of(Instant(row.at))).or_default().merge(used);
    }

    /// Counts a request that was refused before there was a plan.
    pub fn refuse(&mut self, code: &str) {
        let fits = self.refused.contains_key(code) || self.refused.len() < CODES;
        let n = self.refused.entry(if fits { code } else { "other" }.to_owned()).or_default();
        *n = n.saturating_add(1);
    }

    /// Is there something that `control` should hear of?
    pub fn has_work(&self) -> bool {
        !self.usage.is_empty() || !self.refused.is_empty() || self.unanswered.is_some()
    }

    /// What to tell now; `None` while another request is telling.
    pub fn take(&mut self, circuits: impl FnOnce() -> Vec<BreakerSnapshot>, now: Instant) -> Option<Rc<Sync>> {
        if let Some((sync, leased_until)) = &mut self.unanswered {
            if *leased_until > now {
                return None;
            }
            *leased_until = now + LEASE;
            return Some(sync.clone());
        }
        self.number += 1;
        let sync = Rc::new(Sync {
            isolate: self.isolate.clone(),
            number: self.number,
            usage: std::mem::take(&mut self.usage),
            refused: std::mem::take(&mut self.refused),
            keys: Vec::new(),
            editions_after: self.last_edition,
            circuits: circuits(),
        });
        self.unanswered = Some((sync.clone(), now + LEASE));
        Some(sync)
    }

    /// `control` answered.
    pub fn answered(&mut self, number: u64, answer: &Synced) {
        if self.unanswered.as_ref().is_some_and(|(sync, _)| sync.number == number) {
            self.unanswered = None;
        }
        self.last_edition = self.last_edition.max(answer.last_edition);
        for (key_id, spent) in &answer.spent {
            self.learn(key_id, spent.clone());
        }
    }

    /// No answer came: whoever takes next tells it again.
    pub fn unanswered(&mut self, number: u64) {
        if let Some((sync, leased_until)) = &mut self.unanswered
            && sync.number == number
        {
            *leased_until = Instant(0);
        }
    }

    /// What `control` says a key has spent.
    pub fn learn(&mut self, key_id: &str, spent: Spent) {
        if self.spent.len() >= KEYS_KNOWN && !self.spent.contains_key(key_id) {
            self.spent.clear();
        }
        self.spent.insert(key_id.to_owned(), spent);
    }

    /// What a key has spent, as far as is known here: `control`'s word, and what it has not heard yet. `None` before its
    /// first word.
    pub fn spent(&self, key_id: &str, now: Instant) -> Option<Spent> {
        let known = self.spent.get(key_id)?;
        let day = day_of(now);
        let month = day.get(..7).unwrap_or_default();
        let mut spent = Spent { day: day.clone(), today_micro_usd: 0, month_micro_usd: 0 };
        if known.day == day {
            spent.today_micro_usd = known.today_micro_usd;
        }
        if known.day.starts_with(month) {
            spent.month_micro_usd = known.month_micro_usd;
        }
        let told = self.unanswered.as_ref().map(|(sync, _)| &sync.usage);
        for days in told.into_iter().chain([&self.usage]).filter_map(|usage| usage.get(key_id)) {
            for (at, used) in days.iter().filter(|(at, _)| at.starts_with(month)) {
                spent.month_micro_usd = spent.month_micro_usd.saturating_add(used.micro_usd);
                if *at == day {
                    spent.today_micro_usd = spent.today_micro_usd.saturating_add(used.micro_usd);
                }
            }
        }
        Some(spent)
    }
}
