//! Analytics: the part that one shard counts, the merge of the parts, and the answer as `/admin/analytics` gives it.

use crate::domain::ledger::board::Board;
use crate::domain::ledger::cell::{Cell, OTHER, Spend, TargetCell};
use crate::domain::ledger::histogram::Histogram;
use crate::domain::ledger::packed::Stored;
use crate::domain::ledger::query::AnalyticsQuery;
use crate::domain::ledger::rollup::{DAY_VALUES, Dimension, Period};
use crate::domain::ledger::row::{OK, RequestRow};
use crate::domain::ledger::when::format_time;
use crate::domain::time::Instant;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What one shard counted for a query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// With its targets.
    pub total: Cell,
    /// By the start of each point, without targets.
    pub series: BTreeMap<u64, Cell>,
    /// Without targets.
    pub policies: BTreeMap<String, Cell>,
    /// By dimension's name, then value; without targets.
    pub days: BTreeMap<String, BTreeMap<String, Cell>>,
    /// Where `days` holds only values that were asked for: the sum of all, and which are the busiest.
    #[serde(default)]
    pub board: Board,
    /// More rows matched than were looked at.
    #[serde(default)]
    pub partial: bool,
}

impl Part {
    /// Counts a cell of the counters by policy, of a stretch no longer than a point: towards everything.
    pub fn add_cell(&mut self, query: &AnalyticsQuery, at: Instant, policy: &str, cell: &Stored<'_>) {
        if query.filter.policy.as_deref().is_some_and(|wanted| wanted != policy) {
            return;
        }
        if let Some(cell) = asked(query, cell) {
            self.add(query, at, policy, &cell);
        }
    }

    /// Counts a cell of a stretch of several points, which are counted by [`Part::add_point`]: towards all but the series.
    pub fn add_stretch(&mut self, query: &AnalyticsQuery, policy: &str, cell: &Stored<'_>) {
        if let Some(cell) = asked(query, cell) {
            self.add_total(policy, &cell);
        }
    }

    /// Counts a cell towards the series alone.
    pub fn add_point(&mut self, query: &AnalyticsQuery, at: Instant, cell: &Stored<'_>) {
        if let Some(cell) = asked(query, cell) {
            self.series.entry(query.bucket.start(at).0).or_default().merge_requests(&cell);
        }
    }

    fn add(&mut self, query: &AnalyticsQuery, at: Instant, policy: &str, cell: &Cell) {
        self.series.entry(query.bucket.start(at).0).or_default().merge_requests(cell);
        self.add_total(policy, cell);
    }

    fn add_total(&mut self, policy: &str, cell: &Cell) {
        self.total.merge(cell);
        match self.policies.get_mut(policy) {
            Some(known) => known.merge_requests(cell),
            None => self.policies.entry(policy.to_owned()).or_default().merge_requests(cell),
        }
    }

    /// Counts rows themselves; those of drills and comparisons are passed over.
    pub fn add_rows(&mut self, query: &AnalyticsQuery, rows: &[RequestRow]) {
        let rows = || rows.iter().filter(|row| row.counts());
        let mut cells: BTreeMap<(Instant, &str), Cell> = BTreeMap::new();
        for row in rows() {
            cells.entry((query.bucket.start(Instant(row.at)), &row.policy)).or_default().record(row);
        }
        for dimension in Dimension::ALL {
            let mut valued = rows().filter_map(|row| Some((dimension.of(row)?, row))).peekable();
            if valued.peek().is_some() {
                let lines = self.days.entry(dimension.name().to_owned()).or_default();
                valued.for_each(|(value, row)| at_value(lines, value, |line| count_row(line, query, row)));
            }
        }
        for ((at, policy), cell) in &cells {
            match &query.filter.target {
                None => self.add(query, *at, policy, cell),
                Some(target) => self.add(query, *at, policy, &cell.of_target(target)),
            }
        }
    }

    /// Counts a cell of the counters by day towards the total, for a query of one value.
    pub fn add_value(&mut self, query: &AnalyticsQuery, day: Instant, cell: &Cell) {
        self.total.merge(cell);
        self.series.entry(query.bucket.start(day).0).or_default().merge_requests(cell);
    }

    /// Counts a cell of the counters by day as a line of its dimension's table.
    pub fn add_day(&mut self, dimension: Dimension, value: &str, cell: &Cell) {
        let lines = self.days.entry(dimension.name().to_owned()).or_default();
        at_value(lines, value, |line| line.merge_requests(cell));
    }

    /// Adds another shard's.
    pub fn merge(&mut self, other: &Part) {
        self.total.merge(&other.total);
        self.partial |= other.partial;
        self.board.merge(&other.board);
        for (at, cell) in &other.series {
            self.series.entry(*at).or_default().merge(cell);
        }
        for (policy, cell) in &other.policies {
            self.policies.entry(policy.clone()).or_default().merge(cell);
        }
        for (dimension, values) in &other.days {
            let lines = self.days.entry(dimension.clone()).or_default();
            for (value, cell) in values {
                at_value(lines, value, |line| line.merge(cell));
            }
        }
    }

    /// The answer.
    pub fn answer(&self, query: &AnalyticsQuery) -> Value {
        let mut answer = json!({
            "from": format_time(query.from),
            "to": format_time(query.to),
            "bucket": query.bucket.name(),
            "totals": totals(&self.total),
            "targets": self.targets(query),
            "series": self.points(query),
            "policies": lines(&self.policies, query.lines),
        });
        for dimension in Dimension::ALL {
            answer[format!("{}s", dimension.name())] = self.values(dimension, query.lines);
        }
        if query.has_values_by_day() {
            let (first, end) = Period::Day.around(query.from, query.to);
            answer["days"] = json!({"from": format_time(first), "to": format_time(end)});
        }
        if self.partial {
            answer["partial"] = Value::Bool(true);
        }
        answer
    }

    /// The table of a dimension's values, the busiest first.
    fn values(&self, dimension: Dimension, most: usize) -> Value {
        let empty = BTreeMap::new();
        let values = self.days.get(dimension.name()).unwrap_or(&empty);
        let Some(all) = self.board.all(dimension) else { return lines(values, most) };
        let named = values.iter().filter(|(name, _)| *name != OTHER);
        let mut whole: BTreeMap<String, Cell> = named.map(|(name, cell)| (name.clone(), cell.clone())).collect();
        let mut rest = all.clone();
        whole.values().for_each(|cell| rest.take_out(cell));
        if rest.requests > 0 {
            whole.insert(OTHER.to_owned(), rest);
        }
        lines(&whole, most)
    }

    fn targets(&self, query: &AnalyticsQuery) -> Value {
        let mut rest = self.total.targets.get(OTHER).cloned().unwrap_or_default();
        let mut sorted: Vec<_> = self.total.targets.iter().filter(|(model, _)| *model != OTHER).collect();
        sorted.sort_by_key(|(model, target)| (std::cmp::Reverse(target.attempts()), model.as_str()));
        let shown = shown(sorted.len(), rest != TargetCell::default(), query.lines);
        let mut all: Vec<Value> = sorted.iter().take(shown).map(|(model, target)| target_line(model, target)).collect();
        sorted.iter().skip(shown).for_each(|(_, target)| rest.merge(target));
        if rest != TargetCell::default() {
            all.push(target_line(OTHER, &rest));
        }
        Value::Array(all)
    }

    /// Every point of the range, those without a request too, so that a chart needs to fill nothing in.
    fn points(&self, query: &AnalyticsQuery) -> Value {
        let step = query.bucket.span().0;
        let (first, end) = query.bucket.around(query.from, query.to);
        let empty = Cell::default();
        let point = |at: u64| {
            let mut line = Map::new();
            line.insert("at".into(), format_time(Instant(at)).into());
            counts(&mut line, self.series.get(&at).unwrap_or(&empty));
            Value::Object(line)
        };
        (first.0..end.0).step_by(step as usize).map(point).collect()
    }
}

/// What a cell says of what is asked: all, or its target alone.
fn asked(query: &AnalyticsQuery, cell: &Stored<'_>) -> Option<Cell> {
    match &query.filter.target {
        None => cell.read(),
        Some(target) => cell.of_target(target),
    }
}

/// Changes the line of a value, which is mostly there. A table is kept to its bound: further values are counted as `other`.
fn at_value(lines: &mut BTreeMap<String, Cell>, value: &str, change: impl FnOnce(&mut Cell)) {
    if let Some(known) = lines.get_mut(value) {
        return change(known);
    }
    let told_apart = lines.len() - usize::from(lines.contains_key(OTHER));
    let fits = (told_apart as u64) < DAY_VALUES;
    change(lines.entry(if fits { value } else { OTHER }.to_owned()).or_default());
}

/// Counts a row as what is asked has it: of a target that is what it did for the request, and not how that ended.
fn count_row(line: &mut Cell, query: &AnalyticsQuery, row: &RequestRow) {
    let Some(target) = &query.filter.target else { return line.record_request(row) };
    let mut cell = Cell::default();
    cell.record(row);
    line.merge_requests(&cell.of_target(target));
}

fn totals(cell: &Cell) -> Value {
    let mut line = Map::new();
    counts(&mut line, cell);
    line.insert("outcomes".into(), json!(cell.outcomes));
    Value::Object(line)
}

/// The busiest first, and at the end `other`: what exceeds the page, and what was counted so. Whose requests only passed a target
/// over that is asked for is left out.
fn lines(cells: &BTreeMap<String, Cell>, most: usize) -> Value {
    let mut rest = cells.get(OTHER).cloned().unwrap_or_default();
    let mut sorted: Vec<_> = cells.iter().filter(|(name, cell)| *name != OTHER && cell.requests > 0).collect();
    sorted.sort_by_key(|(name, cell)| (std::cmp::Reverse(cell.requests), name.as_str()));
    let shown = shown(sorted.len(), rest.requests > 0, most);
    let mut all: Vec<Value> = sorted.iter().take(shown).map(|(name, cell)| named(name, cell)).collect();
    sorted.iter().skip(shown).for_each(|(_, cell)| rest.merge_requests(cell));
    if rest.requests > 0 {
        all.push(named(OTHER, &rest));
    }
    Value::Array(all)
}

/// How many lines there is room for, where `other` takes the last one for the rest.
fn shown(told_apart: usize, has_rest: bool, most: usize) -> usize {
    if told_apart + usize::from(has_rest) > most { most.saturating_sub(1) } else { told_apart }
}

fn named(name: &str, cell: &Cell) -> Value {
    let mut line = Map::new();
    line.insert("name".into(), name.into());
    counts(&mut line, cell);
    Value::Object(line)
}

fn counts(line: &mut Map<String, Value>, cell: &Cell) {
    line.insert("requests".into(), cell.requests.into());
    line.insert("succeeded".into(), cell.succeeded.into());
    line.insert("success_rate".into(), rate(cell.succeeded, cell.requests));
    line.insert("fallbacks".into(), cell.fallbacks.into());
    line.insert("fallback_rate".into(), rate(cell.fallbacks, cell.requests));
    line.insert("degraded".into(), cell.degraded.into());
    line.insert("attempts".into(), cell.attempts.into());
    line.insert("tokens".into(), tokens(&cell.spend));
    line.insert("cost_usd".into(), usd(cell.spend.micro_usd));
    line.insert("wasted_usd".into(), usd(cell.wasted_micro_usd));
    line.insert("wasted_tokens".into(), cell.wasted_tokens.into());
    line.insert("maybe_billed".into(), cell.maybe_billed.into());
    percentiles(line, "", &cell.ms);
    percentiles(line, "ttft_", &cell.ttft);
}

fn percentiles(line: &mut Map<String, Value>, prefix: &str, histogram: &Histogram) {
    for percent in [50, 90, 99] {
        line.insert(format!("{prefix}p{percent}_ms"), json!(histogram.percentile(percent)));
    }
}

fn target_line(model: &str, target: &TargetCell) -> Value {
    let (mut ms, mut ttft, mut spend, mut wasted) =
        (Histogram::default(), Histogram::default(), Spend::default(), 0u64);
    for (class, part) in &target.classes {
        ms.merge(&part.ms);
        ttft.merge(&part.ttft);
        match class.as_str() {
            OK => spend.merge(part.spend),
            _ => wasted = wasted.saturating_add(part.spend.micro_usd),
        }
    }
    let mut line = Map::new();
    line.insert("model".into(), model.into());
    line.insert("attempts".into(), target.attempts().into());
    line.insert("requests".into(), target.requests.into());
    line.insert("succeeded".into(), target.served.into());
    line.insert("success_rate".into(), rate(target.served, target.attempts()));
    line.insert("fallbacks".into(), target.fallbacks.into());
    let outcomes: BTreeMap<&str, u64> =
        target.classes.iter().map(|(class, part)| (class.as_str(), part.attempts)).collect();
    line.insert("outcomes".into(), json!(outcomes));
    line.insert("skips".into(), json!(target.skips));
    line.insert("tokens".into(), tokens(&spend));
    line.insert("cost_usd".into(), usd(spend.micro_usd));
    line.insert("wasted_usd".into(), usd(wasted));
    percentiles(&mut line, "", &ms);
    percentiles(&mut line, "ttft_", &ttft);
    Value::Object(line)
}

fn tokens(spend: &Spend) -> Value {
    json!({"input": spend.input, "output": spend.output, "cached": spend.cached})
}

/// US dollars of millionths.
pub fn usd(micro: u64) -> Value {
    json!(micro as f64 / 1e6)
}

fn rate(part: u64, of: u64) -> Value {
    match of {
        0 => Value::Null,
        of => json!(part as f64 / of as f64),
    }
}
