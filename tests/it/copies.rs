//! Copies of documents in an isolate: which is served, and when the store is asked again.

use understudy::domain::copies::{ADOPTED, Copies, Loaded, MOST, READING, Unusable, version_of};
use understudy::domain::time::{Instant, Span};

const KEY: &str = "policy:p";
const TTL: Span = Span(30_000);
const START: Instant = Instant(1_000_000);

fn after(ms: u64) -> Instant {
    START + Span(ms)
}

/// A document is good where it is a number.
fn parse(bytes: &[u8]) -> Result<u32, String> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

/// What is served, in short: `7`, `7 stale`, `missing`, `bad`.
fn short(loaded: &Loaded<u32>) -> String {
    match loaded {
        Loaded::Missing => "missing".to_owned(),
        Loaded::Good { value, stale: false, .. } => value.to_string(),
        Loaded::Good { value, stale: true, .. } => format!("{value} stale"),
        Loaded::Bad(_) => "bad".to_owned(),
    }
}

/// One isolate's copies of one document, read as the edge reads them.
#[derive(Default)]
struct Isolate(Copies);

impl Isolate {
    /// Served without a question to the store.
    #[track_caller]
    fn serves(&mut self, at: Instant, expected: &str) {
        let fresh = self.0.fresh(KEY, at, TTL, &parse).expect("a copy that is young enough");
        assert_eq!(short(&fresh.loaded), expected);
    }

    /// The store is to be asked.
    #[track_caller]
    fn asks(&mut self, at: Instant) {
        assert!(self.0.fresh(KEY, at, TTL, &parse).is_none(), "no question to the store");
    }

    /// What the store answered at `at` to a question of `asked`.
    #[track_caller]
    fn hears(&mut self, stored: Option<&str>, (asked, at): (Instant, Instant), expected: &str) -> Option<Unusable> {
        let answer = self.0.read(KEY, stored.map(str::as_bytes), (asked, at), &parse);
        assert_eq!(short(&answer.loaded), expected);
        answer.unusable
    }

    fn adopts(&mut self, written: Option<&str>, at: Instant) {
        self.0.adopt(KEY, written.map(str::as_bytes), at, at);
    }
}

#[test]
fn a_copy_is_served_until_it_is_old_and_missing_is_remembered_just_so() {
    for (stored, shown) in [(Some("7"), "7"), (None, "missing"), (Some("x"), "bad")] {
        let mut isolate = Isolate::default();
        isolate.asks(START);
        isolate.hears(stored, (START, after(5)), shown);
        isolate.serves(after(4 + TTL.0), shown);
        isolate.asks(after(5 + TTL.0));
        isolate.serves(after(6 + TTL.0), shown);
        // The one who reads it again was cut off.
        isolate.asks(after(5 + TTL.0 + READING.0));
    }
}

#[test]
fn with_no_age_allowed_each_request_asks() {
    let mut copies = Copies::default();
    for at in [START, START, after(1)] {
        assert!(copies.fresh(KEY, at, Span(0), &parse).is_none());
        copies.read(KEY, Some(b"7"), (at, at), &parse);
    }
}

#[test]
fn a_bad_edit_leaves_the_last_good_copy_and_is_told_once() {
    let mut isolate = Isolate::default();
    assert_eq!(isolate.hears(Some("7"), (START, START), "7"), None);
    let told = isolate.hears(Some("x"), (after(1), after(1)), "7 stale");
    assert_eq!(told, Some(Unusable { message: "\"x\" is no number".into(), has_good_copy: true }));
    assert_eq!(isolate.hears(Some("x"), (after(2), after(2)), "7 stale"), None);
    assert_eq!(isolate.0.wrong_with(KEY).as_deref(), Some("\"x\" is no number"));
    isolate.hears(Some("8"), (after(3), after(3)), "8");
    assert_eq!(isolate.0.wrong_with(KEY), None);
    isolate.hears(None, (after(4), after(4)), "missing");
    let told = isolate.hears(Some("x"), (after(5), after(5)), "bad");
    assert!(told.is_some_and(|told| !told.has_good_copy), "what was deleted has no good copy");
}

#[test]
fn what_was_adopted_is_served_at_once_and_until_the_store_shows_it() {
    let mut isolate = Isolate::default();
    isolate.hears(Some("7"), (START, START), "7");
    isolate.adopts(Some("8"), after(10));
    isolate.serves(after(11), "8");
    isolate.hears(Some("7"), (after(20), after(21)), "8");
    isolate.hears(Some("8"), (after(30), after(31)), "8");
    isolate.hears(Some("7"), (after(40), after(41)), "7");
}

#[test]
fn what_was_adopted_stands_for_a_minute_and_the_store_is_believed_again() {
    let mut isolate = Isolate::default();
    isolate.adopts(None, START);
    isolate.serves(after(1), "missing");
    let end = ADOPTED.0;
    isolate.hears(Some("7"), (after(end - 2), after(end - 1)), "missing");
    isolate.hears(Some("7"), (after(end), after(end)), "7");
    // Written long ago, and told of late: the store decides.
    let mut late = Isolate::default();
    late.0.adopt(KEY, Some(b"8"), START, after(end + 5));
    late.hears(Some("7"), (after(end + 5), after(end + 6)), "7");
}

#[test]
fn a_read_that_a_write_overtook_brings_nothing_newer() {
    let mut isolate = Isolate::default();
    isolate.hears(Some("7"), (START, START), "7");
    isolate.adopts(Some("8"), after(10));
    isolate.hears(Some("7"), (after(5), after(20)), "8");
    // The store has shown the write: an older question's answer comes last.
    isolate.hears(Some("8"), (after(30), after(31)), "8");
    isolate.hears(Some("7"), (after(25), after(40)), "8");
}

#[test]
fn a_store_that_is_down_takes_no_copy_away() {
    let mut isolate = Isolate::default();
    assert!(isolate.0.survive::<u32>(KEY, START).is_none(), "there is none");
    isolate.hears(Some("7"), (START, START), "7");
    isolate.asks(after(TTL.0));
    let kept = isolate.0.survive::<u32>(KEY, after(TTL.0 + 5)).expect("the copy");
    assert_eq!(short(&kept), "7");
    isolate.serves(after(2 * TTL.0), "7");
    isolate.asks(after(2 * TTL.0 + 5));
}

#[test]
fn the_least_recently_used_goes_first() {
    let mut copies = Copies::default();
    let name = |n: usize| format!("policy:{n}");
    (0..MOST).for_each(|n| drop(copies.read(&name(n), Some(b"7"), (START, START), &parse)));
    assert!(copies.fresh(&name(0), after(1), TTL, &parse).is_some());
    copies.read(&name(MOST), Some(b"7"), (START, START), &parse);
    assert_eq!([0, 1, 2, MOST].map(|n| copies.has(&name(n))), [true, false, true, true]);
}

#[test]
fn changes_are_counted_and_what_is_made_of_copies_knows_when_they_are_due() {
    let mut isolate = Isolate::default();
    assert_eq!((isolate.0.changes(), isolate.0.due(KEY, TTL)), (0, Instant(0)));
    isolate.hears(Some("7"), (START, after(5)), "7");
    assert_eq!((isolate.0.changes(), isolate.0.due(KEY, TTL)), (1, after(5) + TTL));
    isolate.hears(Some("7"), (after(10), after(11)), "7");
    assert_eq!((isolate.0.changes(), isolate.0.adopted()), (1, 0));
    isolate.adopts(Some("8"), after(20));
    assert_eq!((isolate.0.changes(), isolate.0.adopted()), (2, 1));
    assert_eq!(&*version_of(b"7"), "7902699b");
}
