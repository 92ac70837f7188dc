//! JSON as text: what must go on byte for byte (arguments of tools, numbers of any size) is never parsed into a tree.

use serde_json::value::RawValue;

/// Follows a JSON object or array that arrives in pieces, to know when it is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    depth: u32,
    in_string: bool,
    escaped: bool,
    begun: bool,
}

impl Balance {
    /// Reads the next piece.
    pub fn feed(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => {
                    self.begun = true;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether an object or array began and is closed again.
    pub const fn is_whole(self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }
}

/// A count, also where a client's language writes whole numbers as `5.0`. The cast is exact: larger ones are no counts.
pub fn count(value: &serde_json::Value) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=EXACT).contains(number));
    value.as_u64().or(whole.map(|number| number as u64))
}

/// JSON text without the blanks between its tokens; order and digits stay.
pub fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped, mut kept) = (false, false, 0);
    for (at, byte) in json.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b' ' | b'\n' | b'\r' | b'\t' if !in_string => {
                out.push_str(json.get(kept..at).unwrap_or_default());
                kept = at + 1;
            }
            _ => {}
        }
    }
    out.push_str(json.get(kept..).unwrap_or_default());
    out
}

/// The same JSON where it holds half of a surrogate pair as an escape, with U+FFFD in its place; `None` where it holds none.
/// JavaScript writes such halves for text that was cut amid a character: JSON allows them, and no text of ours can hold them.
pub fn mended(json: &str) -> Option<String> {
    let mut out = String::new();
    let (mut rest, mut kept) = (json, 0);
    while let Some(escape) = rest.find('\\') {
        let at = json.len() - rest.len() + escape;
        let width = match unit(json.get(at..)) {
            Some(0xD800..=0xDBFF) if matches!(unit(json.get(at + UNIT..)), Some(0xDC00..=0xDFFF)) => 2 * UNIT,
            Some(0xD800..=0xDFFF) => {
                out.push_str(json.get(kept..at).unwrap_or_default());
                out.push_str("\\ufffd");
                kept = at + UNIT;
                UNIT
            }
            _ => 2,
        };
        rest = json.get(at + width..).unwrap_or_default();
    }
    (kept > 0).then(|| out + json.get(kept..).unwrap_or_default())
}

/// JSON as a tree, be it mended. `None` for what is no JSON.
pub fn tree(json: &[u8]) -> Option<serde_json::Value> {
    let mended = || mended(std::str::from_utf8(json).ok()?);
    serde_json::from_slice(json).ok().or_else(|| serde_json::from_str(&mended()?).ok())
}

/// How deep JSON may nest that is closed here.
const CLOSED_DEPTH_MAX: usize = 64;

/// What JSON says that was cut off somewhere: text that was cut is as long as it came, and of other fields those that came whole
/// are there. `None` for what is no such thing.
pub fn closed(cut: &str) -> Option<serde_json::Value> {
    let (mut open, mut comma, mut in_string, mut escaped) = (String::new(), None, false, false);
    for (at, byte) in cut.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' => open.insert(0, '}'),
            b'[' => open.insert(0, ']'),
            b'}' | b']' if !open.is_empty() => {
                open.remove(0);
            }
            b',' => comma = Some((at, open.clone())),
            _ => {}
        }
        if open.len() > CLOSED_DEPTH_MAX {
            return None;
        }
    }
    let quote = if in_string { "\"" } else { "" };
    // An escape may have been cut, too.
    let here = (0..=UNIT).filter_map(|back| Some(format!("{}{quote}{open}", cut.get(..cut.len().checked_sub(back)?)?)));
    let before = comma.and_then(|(at, open)| Some(format!("{}{open}", cut.get(..at)?)));
    here.chain(before).find_map(|text| serde_json::from_str(&text).ok())
}

/// The length of an escape as `\ud83d`.
const UNIT: usize = 6;

/// The UTF-16 unit of the escape that a text begins with.
fn unit(text: Option<&str>) -> Option<u16> {
    u16::from_str_radix(text?.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// Arguments of a tool as the object that Anthropic's and Bedrock's wires want, and most chat hosts within their text: nothing is `{}`, and what is no object
/// (or no JSON at all) is kept as the text in `_raw`, so that the conversation can go on.
pub fn object(arguments: &str) -> Box<RawValue> {
    if arguments.trim().is_empty() {
        return empty();
    }
    match serde_json::from_slice::<Box<RawValue>>(arguments.as_bytes()) {
        Ok(raw) if raw.get().starts_with('{') => raw,
        _ => wrapped(arguments),
    }
}

fn wrapped(arguments: &str) -> Box<RawValue> {
    let text = serde_json::Value::from(arguments).to_string();
    RawValue::from_string(format!("{{\"_raw\":{text}}}")).unwrap_or_else(|_| empty())
}

fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
