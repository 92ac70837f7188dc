//! What may be asked of the ledger: filters, ranges, cursors.
//!
//! A cursor is the ledger id of the last row given; the next page holds older ones. Times are RFC 3339 or Unix ms.

use crate::domain::document::path::quoted;
use crate::domain::ledger::rollup::{Dimension, Period};
use crate::domain::ledger::row::{OK, RequestRow, ledger_id_floor};
use crate::domain::ledger::when::{format_time, parse_time};
use crate::domain::outcome::{Class, SKIPPED, Skip};
use crate::domain::time::{Instant, Span};
use serde::{Deserialize, Serialize};

/// Rows of a page, when the query does not say.
pub const PAGE: u32 = 50;
/// Rows of a page at most.
pub const PAGE_MAX: u32 = 500;
/// Rows that one shard looks at for one page: a filter that matches nothing answers early, with a cursor to go on.
pub const SCAN_MAX: u32 = 50_000;
/// The marks of rows that no counter counts.
const MARKS: [&str; 2] = ["drill", "compare"];
/// What analytics cover when no range is given.
pub const DEFAULT_RANGE: Span = Span::days(1);

/// A query that cannot be answered: which parameter, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadQuery {
    pub param: &'static str,
    pub message: String,
}

/// Which rows to list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    pub policy: Option<String>,
    pub workload: Option<String>,
    pub user: Option<String>,
    pub group: Option<String>,
    pub key: Option<String>,
    /// Some attempt or skip names it.
    pub target: Option<String>,
    /// Some attempt or skip (of `target`, if given), or the request itself, ended so.
    pub class: Option<String>,
    pub fallback: Option<bool>,
    /// `drill` or `compare`
    pub mark: Option<String>,
    /// Only rows with a lesser ledger id.
    pub before: Option<String>,
    /// Only rows with this ledger id or a greater one.
    pub since: Option<String>,
    pub limit: u32,
}

impl ListQuery {
    /// Reads the query of `/admin/requests`.
    ///
    /// # Errors
    /// The parameter at fault, with what it may be. Unknown parameters are passed over.
    pub fn parse(params: &[(String, String)]) -> Result<ListQuery, BadQuery> {
        let mut query = ListQuery { limit: PAGE, ..ListQuery::default() };
        for (name, value) in params.iter().filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                name if query.takes(name, value) => {}
                "class" => query.class = Some(one_of("class", value, &endings())?),
                "mark" => query.mark = Some(one_of("mark", value, &MARKS)?),
                "fallback" => query.fallback = Some(parse_bool("fallback", value)?),
                // Both bound the page above: with a range's end and the next page's mark the earlier one does.
                "before" => query.end_at(parse_cursor("before", value)?),
                "to" => query.end_at(parse_cursor("to", value)?),
                "from" => query.since = Some(ledger_id_floor(time("from", value)?)),
                "limit" => query.limit = parse_limit(value)?,
                _ => {}
            }
        }
        Ok(query)
    }

    /// Reads a parameter by which rows and counters alike are filtered; false when it is none.
    fn takes(&mut self, name: &str, value: &str) -> bool {
        let field = match name {
            "policy" => &mut self.policy,
            "target" => &mut self.target,
            "workload" => &mut self.workload,
            "group" => &mut self.group,
            "user" => &mut self.user,
            "key" => &mut self.key,
            _ => return false,
        };
        *field = Some(if name == "policy" { policy_name(value) } else { value.to_owned() });
        true
    }

    fn end_at(&mut self, cursor: String) {
        self.before = Some(self.before.take().map_or(cursor.clone(), |before| before.min(cursor)));
    }

    /// The dimensions that it filters by, with their values.
    pub fn dimensions(&self) -> Vec<(Dimension, String)> {
        let given = |dimension: Dimension| match dimension {
            Dimension::Workload => self.workload.clone(),
            Dimension::Group => self.group.clone(),
            Dimension::User => self.user.clone(),
            Dimension::Key => self.key.clone(),
        };
        Dimension::ALL.into_iter().filter_map(|dimension| Some((dimension, given(dimension)?))).collect()
    }

    /// Does a row pass? Cursors and limits are not looked at.
    pub fn admits(&self, row: &RequestRow) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| wanted.as_deref().is_none_or(|w| value == Some(w));
        is(&self.policy, Some(&row.policy))
            && is(&self.workload, Some(&row.workload))
            && is(&self.user, row.user.as_deref())
            && is(&self.group, row.group.as_deref())
            && is(&self.key, row.key.as_deref())
            && is(&self.mark, Some(&row.mark))
            && self.fallback.is_none_or(|wanted| wanted == row.fallback)
            && self.admits_attempts(row)
    }

    fn admits_attempts(&self, row: &RequestRow) -> bool {
        let target = |model: &str| self.target.as_deref().is_none_or(|wanted| wanted == model);
        let class = |outcome: &str| self.class.as_deref().is_none_or(|wanted| wanted == outcome);
        row.attempts.iter().any(|attempt| target(&attempt.model) && class(&attempt.outcome))
            || (self.target.is_none() && class(&row.outcome))
    }
}

/// What to count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnalyticsQuery {
    /// Policy, target, workload, group, user, key.
    pub filter: ListQuery,
    pub from: Instant,
    /// Not included.
    pub to: Instant,
    /// Distance of the points of the series.
    pub bucket: Period,
    pub source: Source,
    /// Lines of each table at most.
    pub lines: usize,
}

/// Where the answer comes from: the cheapest that can tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The counters by policy. `from` and `to` are exact to the finest; whole stretches are read in coarser ones, as far as these
    /// are kept.
    Cells { finest: Period, coarsest: Period },
    /// The counters by day of one value of one dimension.
    Day(Dimension, String),
    /// The rows themselves, at most [`SCAN_MAX`] of a shard: filters that no counter combines.
    Rows,
}

/// Retention of each kind of counter, from the variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    pub attempts: Span,
    pub minutes: Span,
    pub hours: Span,
    pub days: Span,
}

impl Retention {
    /// The start of the oldest minute, hour or day of which the counters are kept: part of it may be older than their retention, but
    /// not all.
    pub fn oldest(&self, period: Period, now: Instant) -> Instant {
        match period {
            Period::Minute => period.start(now - self.minutes),
            Period::Hour => period.start(now - self.hours),
            Period::Day => period.start(now - self.days),
            Period::Ever => Instant(0),
        }
    }
}

impl Default for Retention {
    fn default() -> Retention {
        let days = Span::days;
        Retention { attempts: days(7), minutes: days(2), hours: days(90), days: days(730) }
    }
}

/// Lines of each table of analytics, when the query does not say.
const LINES: usize = 100;
/// Up to this range the series has a point per minute, and per hour up to [`HOURLY`], unless the query says.
const MINUTELY: Span = Span::hours(3);
const HOURLY: Span = Span::days(7);
/// Points of a series at most.
pub const POINTS_MAX: u64 = 3_000;

impl AnalyticsQuery {
    /// Reads the query of `/admin/analytics`.
    ///
    /// # Errors
    /// The parameter at fault, with what it may be. Unknown parameters are passed over.
    pub fn parse(params: &[(String, String)], now: Instant, keeps: &Retention) -> Result<AnalyticsQuery, BadQuery> {
        let mut filter = ListQuery::default();
        let (mut from, mut to, mut bucket, mut lines) = (None, now, None, LINES);
        for (name, value) in params.iter().filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                name if filter.takes(name, value) => {}
                "from" => from = Some(time("from", value)?),
                "to" => to = time("to", value)?,
                "bucket" => bucket = Some(parse_period(value)?),
                "limit" => lines = parse_lines(value)?,
                _ => {}
            }
        }
        let from = from.unwrap_or(to - DEFAULT_RANGE);
        if from > to {
            let message = format!("{} is later than to, {}", format_time(from), format_time(to));
            return Err(BadQuery { param: "from", message });
        }
        let (from, to) = (held(from, now, keeps), held(to, now, keeps));
        let (bucket, source) = plan(&filter, bucket, from, to, now, keeps);
        // Rows go before counters do: a sum of those that are left is not one of the range.
        let oldest = if source == Source::Rows { now - keeps.attempts } else { Instant(0) };
        let (from, to) = (from.max(oldest), to.max(oldest));
        // Counters by day tell nothing finer: the answer says of which days it is.
        let (from, to) = if let Source::Day(..) = source { Period::Day.around(from, to) } else { (from, to) };
        let points = to.since(from).0 / bucket.span().0;
        if points > POINTS_MAX {
            let of = bucket.name();
            let message = format!(
                "{points} points of a {of} are more than {POINTS_MAX}: take a larger bucket or a shorter range"
            );
            return Err(BadQuery { param: "bucket", message });
        }
        Ok(AnalyticsQuery { filter, from, to, bucket, source, lines })
    }

    /// Whether the tables by workload, group, user and key are read from the counters by day: they are of whole days then, where
    /// all else is of the range.
    pub fn has_values_by_day(&self) -> bool {
        matches!(self.source, Source::Cells { .. }) && self.filter.policy.is_none() && self.filter.target.is_none()
    }
}

/// A moment of a range, brought to where counters can be: none is older than the days that are kept, and none further ahead
/// than a clock may be wrong. So a range of all time has an answer, without the points that could only be empty.
fn held(at: Instant, now: Instant, keeps: &Retention) -> Instant {
    at.max(now - keeps.days).min(now + Period::Day.span())
}

/// The points' distance, and where to count.
fn plan(
    filter: &ListQuery,
    asked: Option<Period>,
    from: Instant,
    to: Instant,
    now: Instant,
    keeps: &Retention,
) -> (Period, Source) {
    let range = to.since(from);
    let bucket = asked.unwrap_or(match range {
        range if range <= MINUTELY => Period::Minute,
        range if range <= HOURLY => Period::Hour,
        _ => Period::Day,
    });
    let values = filter.dimensions();
    if let [(dimension, value)] = values.as_slice()
        && filter.policy.is_none()
        && filter.target.is_none()
        && asked.is_none_or(|asked| asked == Period::Day)
    {
        return (Period::Day, Source::Day(*dimension, value.clone()));
    }
    if !values.is_empty() {
        return (bucket, Source::Rows);
    }
    // Nothing finer than what is still kept of the whole range can be told.
    let age = now.since(from);
    let kept = match age {
        age if age <= keeps.minutes => Period::Minute,
        age if age <= keeps.hours => Period::Hour,
        _ => Period::Day,
    };
    let bucket = bucket.max(kept);
    let exact = match range {
        range if range <= MINUTELY => Period::Minute,
        range if range <= HOURLY => Period::Hour,
        _ => Period::Day,
    };
    let finest = exact.max(kept).min(bucket);
    let is_kept = |period: &Period| match period {
        Period::Hour => age + period.span() <= keeps.hours,
        Period::Day => age + period.span() <= keeps.days,
        Period::Minute | Period::Ever => false,
    };
    let coarsest = [Period::Day, Period::Hour].into_iter().find(is_kept).map_or(finest, |kept| kept.max(finest));
    (bucket, Source::Cells { finest, coarsest })
}

/// `policy/sonnet` and `sonnet` are the same policy; `rule/...` and `request` stand for themselves.
fn policy_name(value: &str) -> String {
    value.strip_prefix("policy/").unwrap_or(value).to_owned()
}

/// How a request, an attempt or a hop passed over can have ended.
fn endings() -> Vec<&'static str> {
    [&[OK][..], &Class::ALL.map(Class::name), &[SKIPPED], &Skip::NAMES].concat()
}

/// A word of a list. Any other would find nothing, and say nothing of why.
fn one_of(param: &'static str, value: &str, words: &[&str]) -> Result<String, BadQuery> {
    match words.contains(&value) {
        true => Ok(value.to_owned()),
        false => Err(BadQuery { param, message: format!("{} is not one of {}", quoted(value), words.join(", ")) }),
    }
}

fn parse_bool(param: &'static str, value: &str) -> Result<bool, BadQuery> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(BadQuery { param, message: format!("{value:?} is neither true nor false") }),
    }
}

fn parse_limit(value: &str) -> Result<u32, BadQuery> {
    let limit = value.parse().ok().filter(|n| (1..=PAGE_MAX).contains(n));
    limit.ok_or_else(|| BadQuery { param: "limit", message: format!("{value:?} is not in 1..={PAGE_MAX}") })
}

fn parse_lines(value: &str) -> Result<usize, BadQuery> {
    let limit = value.parse().ok().filter(|n| (1..=10_000).contains(n));
    limit.ok_or_else(|| BadQuery { param: "limit", message: format!("{value:?} is not in 1..=10000") })
}

fn parse_period(value: &str) -> Result<Period, BadQuery> {
    let found = Period::POINTS.into_iter().find(|period| period.name() == value);
    found.ok_or_else(|| BadQuery { param: "bucket", message: format!("{value:?} is not one of minute, hour, day") })
}

fn time(param: &'static str, value: &str) -> Result<Instant, BadQuery> {
    let message = || format!("{value:?} is neither RFC 3339 nor Unix ms");
    parse_time(value).ok_or_else(|| BadQuery { param, message: message() })
}

/// A cursor as it was given out, or a time.
fn parse_cursor(param: &'static str, value: &str) -> Result<String, BadQuery> {
    if value.len() == 32 && value.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(value.to_ascii_lowercase());
    }
    let message = || format!("{value:?} is neither a cursor nor RFC 3339 nor Unix ms");
    let at = parse_time(value).ok_or_else(|| BadQuery { param, message: message() })?;
    Ok(ledger_id_floor(at))
}
