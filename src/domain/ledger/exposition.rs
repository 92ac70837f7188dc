//! Counters of all time as Prometheus text, format 0.0.4.

use crate::domain::ledger::cell::Cell;
use crate::domain::ledger::histogram::Histogram;
use crate::domain::ledger::protocol::Status;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Upper bounds of the exposed histograms, in ms.
const BOUNDS: [u64; 13] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000];

/// What the answering isolate adds of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local {
    pub waiting: u64,
    pub dropped: u64,
}

/// The whole text.
pub fn render(shards: &[Status], control: &Status, local: Local) -> String {
    let mut policies: BTreeMap<String, Cell> = BTreeMap::new();
    for (policy, cell) in shards.iter().flat_map(|shard| &shard.policies) {
        policies.entry(policy.clone()).or_default().merge(cell);
    }
    let mut text = Text(String::new());
    requests(&mut text, &policies);
    attempts(&mut text, &policies);
    durations(&mut text, &policies);
    ledger(&mut text, shards, control, local);
    text.0
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escape(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn requests(text: &mut Text, policies: &BTreeMap<String, Cell>) {
    let name = "understudy_requests_total";
    text.family(name, "counter", "Requests by policy and final outcome; an empty policy is a plain model.");
    for (policy, cell) in policies {
        cell.outcomes
            .iter()
            .for_each(|(outcome, n)| text.sample(name, &[("policy", policy), ("outcome", outcome)], *n as f64));
    }
    type Count = (&'static str, &'static str, fn(&Cell) -> f64);
    let counts: [Count; 5] = [
        ("understudy_fallbacks_total", "Requests answered by another than the first hop.", |cell| {
            cell.fallbacks as f64
        }),
        ("understudy_degraded_total", "Requests answered by a degraded hop.", |cell| cell.degraded as f64),
        ("understudy_cost_usd_total", "Cost of successful attempts, in US dollars.", |cell| {
            cell.spend.micro_usd as f64 / 1e6
        }),
        ("understudy_maybe_billed_total", "Failed attempts that the upstream may have charged for.", |cell| {
            cell.maybe_billed as f64
        }),
        ("understudy_wasted_usd_total", "What failed attempts may have cost, in US dollars.", |cell| {
            cell.wasted_micro_usd as f64 / 1e6
        }),
    ];
    for (name, help, value) in counts {
        text.family(name, "counter", help);
        policies.iter().for_each(|(policy, cell)| text.sample(name, &[("policy", policy)], value(cell)));
    }
    let name = "understudy_tokens_total";
    text.family(name, "counter", "Tokens of successful attempts.");
    for (policy, cell) in policies {
        for (kind, n) in [("input", cell.spend.input), ("output", cell.spend.output), ("cached", cell.spend.cached)] {
            text.sample(name, &[("policy", policy), ("kind", kind)], n as f64);
        }
    }
}

fn attempts(text: &mut Text, policies: &BTreeMap<String, Cell>) {
    let (calls, skips) = ("understudy_attempts_total", "understudy_skips_total");
    text.family(calls, "counter", "Upstream calls by policy, target and class.");
    for (policy, cell) in policies {
        for (target, counted) in &cell.targets {
            for (class, part) in &counted.classes {
                text.sample(calls, &[("policy", policy), ("target", target), ("class", class)], part.attempts as f64);
            }
        }
    }
    text.family(skips, "counter", "Hops passed over, by policy, target and reason.");
    for (policy, cell) in policies {
        for (target, counted) in &cell.targets {
            for (reason, n) in &counted.skips {
                text.sample(skips, &[("policy", policy), ("target", target), ("reason", reason)], *n as f64);
            }
        }
    }
}

fn durations(text: &mut Text, policies: &BTreeMap<String, Cell>) {
    type Durations = (&'static str, &'static str, fn(&Cell) -> &Histogram);
    let all: [Durations; 2] = [
        ("understudy_request_duration_seconds", "Requests, to the end of the answer.", |cell| &cell.ms),
        ("understudy_first_content_seconds", "Requests, to the first content sent.", |cell| &cell.ttft),
    ];
    for (name, help, of) in all {
        text.family(name, "histogram", help);
        for (policy, cell) in policies {
            let histogram = of(cell);
            for (bound, n) in histogram.cumulative(&BOUNDS) {
                let le = format!("{}", bound as f64 / 1e3);
                text.sample(&format!("{name}_bucket"), &[("policy", policy), ("le", &le)], n as f64);
            }
            text.sample(&format!("{name}_bucket"), &[("policy", policy), ("le", "+Inf")], histogram.count() as f64);
            text.sample(&format!("{name}_sum"), &[("policy", policy)], histogram.sum() / 1e3);
            text.sample(&format!("{name}_count"), &[("policy", policy)], histogram.count() as f64);
        }
    }
}

fn ledger(text: &mut Text, shards: &[Status], control: &Status, local: Local) {
    let sum = |name: &str| shards.iter().filter_map(|shard| shard.counts.get(name)).sum::<u64>() as f64;
    for (name, count, help) in [
        ("understudy_ledger_rows_total", "rows", "Rows recorded."),
        ("understudy_ledger_batches_total", "batches", "Batches recorded."),
        ("understudy_ledger_duplicates_total", "again", "Batches that came twice and were ignored."),
        ("understudy_ledger_lost_total", "lost", "Batches that never came."),
        ("understudy_ledger_dropped_total", "dropped", "Rows dropped by isolates in which too many waited."),
    ] {
        text.family(name, "counter", help);
        text.sample(name, &[], sum(count));
    }
    text.family("understudy_ledger_bytes", "gauge", "Size of each shard's database.");
    for (i, shard) in shards.iter().enumerate() {
        text.sample("understudy_ledger_bytes", &[("shard", &i.to_string())], shard.database_bytes as f64);
    }
    text.family("understudy_isolate_waiting_rows", "gauge", "Rows that wait in the isolate that answered this.");
    text.sample("understudy_isolate_waiting_rows", &[], local.waiting as f64);
    text.family("understudy_isolate_dropped_rows", "gauge", "Rows that it dropped.");
    text.sample("understudy_isolate_dropped_rows", &[], local.dropped as f64);
    text.family("understudy_refused_total", "counter", "Requests refused before there was a plan, by error code.");
    for (name, n) in &control.counts {
        if let Some(code) = name.strip_prefix("refused:") {
            text.sample("understudy_refused_total", &[("code", code)], *n as f64);
        }
    }
}
