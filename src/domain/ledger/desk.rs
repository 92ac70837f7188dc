//! What an isolate tells `control` and what it knows from there: usage and spend by gateway key, refusals, circuits.
//!
//! As with batches of rows, what was told and not answered is told again under its number.
//!
//! What a key has spent is `control`'s word, and it counts for [`FRESH`]: other isolates spend, too. The flushes ask again for
//! every key with a budget that was used lately; where none came in time, one request asks for all keys that are waited for.

use crate::domain::breaker::BreakerSnapshot;
use crate::domain::ledger::batch::LEASE;
use crate::domain::ledger::control::{Spent, Sync, Synced, Usage, day_of};
use crate::domain::ledger::row::RequestRow;
use crate::domain::time::{Instant, Span};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Keys whose spend an isolate remembers; beyond that it forgets all and asks again.
const KEYS_KNOWN: usize = 10_000;
/// How long `control`'s word on a key counts.
pub const FRESH: Span = Span(2_000);
/// How long one request is left to ask before another may: one that was cut off with its client gives nothing back.
pub const ASKING: Span = Span(1_000);
/// How soon after a question the next is asked: what is wanted meanwhile goes with it, so that calls do not grow with keys.
pub const ASK_EVERY: Span = Span(200);
/// How long after its last use the flushes go on asking about a key.
const LATELY: Span = Span(10_000);
/// Keys that one question is about, beside those of which a flush tells.
const KEYS_ASKED: usize = 200;
/// Codes of refusals that are told apart; the rest are `other`.
const CODES: usize = 100;

type Days = BTreeMap<String, BTreeMap<String, Usage>>;

/// A key with a budget.
#[derive(Debug, Default)]
struct Account {
    /// As `control` last said, without what is in `usage` and `unanswered`; `None` before its first word.
    spent: Option<Spent>,
    /// Until then nobody asks again.
    good_until: Instant,
    used: Instant,
    /// Some request waits for a newer word.
    wanted: bool,
}

/// What a request hears of its key's spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// This much; `None` where `control` was asked a moment ago, did not answer, and never has.
    Heard(Option<Spent>),
    /// The last word is too old: this request is to ask, for all of these.
    Ask(Vec<String>),
    /// Another request asks, or is about to.
    Wait,
}

/// One isolate's side of the object `control`.
#[derive(Debug)]
pub struct Desk {
    isolate: String,
    number: u64,
    usage: Days,
    refused: BTreeMap<String, u64>,
    unanswered: Option<(Rc<Sync>, Instant)>,
    last_edition: u64,
    /// Keys with a budget that were used here.
    accounts: BTreeMap<String, Account>,
    asked_at: Instant,
    /// Until then some request asks.
    asking_until: Instant,
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
            accounts: BTreeMap::new(),
            asked_at: Instant(0),
            asking_until: Instant(0),
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
        let keys = self.keys_in_use(now);
        let sync = Rc::new(Sync {
            isolate: self.isolate.clone(),
            number: self.number,
            usage: std::mem::take(&mut self.usage),
            refused: std::mem::take(&mut self.refused),
            keys,
            editions_after: self.last_edition,
            circuits: circuits(),
        });
        self.unanswered = Some((sync.clone(), now + LEASE));
        Some(sync)
    }

    /// Keys with a budget that were used lately, and of whose use there is nothing to tell: those are answered anyway.
    fn keys_in_use(&self, now: Instant) -> Vec<String> {
        let is_asked = |(key_id, account): &(&String, &Account)| {
            now.since(account.used) < LATELY && !self.usage.contains_key(*key_id)
        };
        self.accounts.iter().filter(is_asked).take(KEYS_ASKED).map(|(key_id, _)| key_id.clone()).collect()
    }

    /// `control` answered.
    pub fn answered(&mut self, number: u64, answer: &Synced, now: Instant) {
        if self.unanswered.as_ref().is_some_and(|(sync, _)| sync.number == number) {
            self.unanswered = None;
        }
        self.last_edition = self.last_edition.max(answer.last_edition);
        for (key_id, spent) in &answer.spent {
            // Of a key without a budget nobody asks.
            if let Some(account) = self.accounts.get_mut(key_id) {
                account.learn(spent.clone(), now);
            }
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

    /// What a request hears that is about to use a key with a budget.
    pub fn word(&mut self, key_id: &str, now: Instant) -> Word {
        let account = self.account(key_id);
        account.used = now;
        if now < account.good_until {
            return Word::Heard(self.spent(key_id, now));
        }
        account.wanted = true;
        if now < self.asking_until || now < self.asked_at + ASK_EVERY {
            return Word::Wait;
        }
        (self.asked_at, self.asking_until) = (now, now + ASKING);
        let wanted = self.accounts.iter().filter(|(_, account)| account.wanted);
        Word::Ask(wanted.take(KEYS_ASKED).map(|(key_id, _)| key_id.clone()).collect())
    }

    /// What `control` said to the request that asked about these keys. Of one that it said nothing of, what was known before counts
    /// for a while: a ledger that is down is not to hold up every request.
    pub fn learn(&mut self, keys: &[String], said: &BTreeMap<String, Spent>, now: Instant) {
        self.asking_until = Instant(0);
        for key_id in keys {
            let account = self.account(key_id);
            match said.get(key_id) {
                Some(spent) => account.learn(spent.clone(), now),
                None => account.settle(now),
            }
        }
    }

    fn account(&mut self, key_id: &str) -> &mut Account {
        if self.accounts.len() >= KEYS_KNOWN && !self.accounts.contains_key(key_id) {
            self.accounts.clear();
        }
        self.accounts.entry(key_id.to_owned()).or_default()
    }

    /// What a key has spent, as far as is known here: `control`'s word, and what it has not heard yet. `None` before its
    /// first word.
    pub fn spent(&self, key_id: &str, now: Instant) -> Option<Spent> {
        let known = self.accounts.get(key_id)?.spent.as_ref()?;
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

impl Account {
    fn learn(&mut self, spent: Spent, now: Instant) {
        self.spent = Some(spent);
        self.settle(now);
    }

    fn settle(&mut self, now: Instant) {
        self.good_until = now + FRESH;
        self.wanted = false;
    }
}
