//! Where in a document something stands: `chain[1].timeouts.headers_ms`.

use std::fmt;

/// A place in a document, as a chain of borrowed steps: nothing is allocated until it is shown.
#[derive(Clone, Copy, Debug)]
pub enum Path<'a> {
    /// The document itself, or the field of a larger body that holds it.
    Root(&'a str),
    Field(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    /// The document as a whole.
    pub const ROOT: Path<'static> = Path::Root("");

    /// A field of this place.
    pub const fn field(&'a self, name: &'a str) -> Path<'a> {
        Path::Field(self, name)
    }

    /// An entry of the list at this place.
    pub const fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }

    fn is_empty(&self) -> bool {
        matches!(self, Path::Root(""))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root(name) => f.write_str(name),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Path::Field(parent, name) if !is_plain(name) => write!(f, "{parent}[{}]", quoted(name)),
            Path::Field(parent, name) if parent.is_empty() => f.write_str(name),
            Path::Field(parent, name) => write!(f, "{parent}.{name}"),
        }
    }
}

/// A name that needs no quotes in a path.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$'))
}

/// A text as JSON, cut short: for names and values in messages. JSON lets DEL and the C1 controls stand, terminals obey them:
/// they are escaped too.
pub fn quoted(text: &str) -> String {
    const MAX: usize = 80;
    let short: String = text.chars().take(MAX).collect();
    let cut = if short.len() < text.len() { "..." } else { "" };
    let json = serde_json::Value::String(format!("{short}{cut}")).to_string();
    match json.contains(char::is_control) {
        true => json.chars().flat_map(shown).collect(),
        false => json,
    }
}

fn shown(c: char) -> Vec<char> {
    if c.is_control() { format!("\\u{:04x}", u32::from(c)).chars().collect() } else { vec![c] }
}
