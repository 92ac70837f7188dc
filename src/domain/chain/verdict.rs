//! What follows a failed attempt.

use super::{Chain, End, Failed, State, Turn};
use crate::domain::backoff::{self, Pause};
use crate::domain::outcome::Class;
use crate::domain::policy::Verdict;
use crate::domain::time::{Instant, Span};

impl Chain {
    /// A call failed: of a hedge the verdict waits for its hop's turn, of any other it is given now.
    pub(super) fn on_failed(&mut self, failed: Failed, hedge: bool, now: Instant) {
        if failed.class == Class::ContextLength {
            self.outgrown = self.outgrown.max(self.prospects[failed.turn.hop].context_tokens);
        }
        if hedge && failed.class != Class::Cancelled {
            self.early = Some(failed);
            return;
        }
        self.decide(&failed, now);
        if matches!(self.state, State::Seek) && self.main.is_none() {
            self.main = self.side.take();
        }
    }

    /// Gives the verdict on a failed attempt.
    pub(super) fn decide(&mut self, failed: &Failed, now: Instant) {
        let verdict = match failed.class {
            Class::Cancelled => Verdict::Stop,
            class => self.plan.hops[failed.turn.hop].on.of(class),
        };
        let wait = self.wait(verdict, failed, now);
        let last = failed.id;
        if let Some(turn) = self.second_key(failed, wait) {
            self.state = State::Resume { until: now, turn, verdict, last };
        } else if let Some(wait) = wait {
            self.state = State::Resume { until: now + wait, turn: failed.turn, verdict, last };
        } else {
            self.give_up(verdict, last, now);
        }
    }

    /// No further try of this hop: on to the next one, or the end.
    pub(super) fn give_up(&mut self, verdict: Verdict, last: u32, now: Instant) {
        match verdict {
            Verdict::Retry | Verdict::Next => self.state = State::Seek,
            Verdict::RetryOnly | Verdict::Stop => self.over(End::Stopped { id: last }, now),
        }
    }

    /// How long to wait before the same key is tried again; `None` when it is not.
    fn wait(&mut self, verdict: Verdict, failed: &Failed, now: Instant) -> Option<Span> {
        match verdict {
            Verdict::Retry | Verdict::RetryOnly => {}
            Verdict::Next | Verdict::Stop => return None,
        }
        let hop = &self.plan.hops[failed.turn.hop];
        if failed.turn.made > hop.retries {
            return None;
        }
        match backoff::pause(&hop.backoff, failed.turn.made, failed.retry_after, &mut self.dice) {
            Pause::Wait(wait) if self.may_start(now + wait) => Some(wait),
            Pause::Wait(_) | Pause::TooLong => None,
        }
    }

    /// The hop's next key, where this failure is one of the key and not of the target.
    fn second_key(&self, failed: &Failed, wait: Option<Span>) -> Option<Turn> {
        let key = failed.turn.key + 1;
        let another = key < self.prospects[failed.turn.hop].slots.len();
        let of_the_key = match failed.class {
            Class::Auth | Class::Forbidden | Class::QuotaExhausted => true,
            Class::RateLimited => wait.is_none(),
            Class::Overloaded
            | Class::ServerError
            | Class::Timeout
            | Class::Unreachable
            | Class::Malformed
            | Class::Interrupted
            | Class::NotFound
            | Class::ContextLength
            | Class::ContentPolicy
            | Class::Unsupported
            | Class::InvalidRequest
            | Class::Cancelled => false,
        };
        (another && of_the_key).then_some(Turn { hop: failed.turn.hop, key, made: 0 })
    }
}
