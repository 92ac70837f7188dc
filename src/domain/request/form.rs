//! A multipart body by position: `model` is read and replaced, the rest goes on as it is.
//!
//! ```text
//! --boundary CRLF
//! Content-Disposition: form-data; name="model" CRLF
//! CRLF
//! whisper-1 CRLF            <- replaced
//! --boundary-- CRLF
//! ```

use std::ops::Range;

use memchr::memmem::Finder;

use crate::domain::policy::Param;
use crate::domain::refusal::Refusal;

/// Parts of one form. The largest route takes some twenty fields.
const MAX_PARTS: usize = 1_000;

/// The headers of one part, in bytes.
const PART_HEADERS_MAX_BYTES: usize = 16 * 1024;

/// A `model` field, in bytes, before it is judged as a model reference.
const MODEL_MAX_BYTES: usize = 1024;

/// One multipart body, by position.
#[derive(Clone, Debug)]
pub struct Form {
    /// What the `model` field says.
    pub model: String,
    /// Whether a `stream` field says `true`.
    pub stream: bool,
    boundary: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    name: String,
    /// From the delimiter's dashes to the next delimiter's dashes.
    whole: Range<usize>,
    value: Range<usize>,
}

impl Form {
    /// Reads a body of that `content-type`.
    ///
    /// # Errors
    /// 400, saying where: no boundary, no form of that boundary, `model` missing, given twice, or no text.
    pub fn parse(content_type: &str, body: &[u8]) -> Result<Form, Refusal> {
        let boundary = boundary(content_type)?;
        let parts = parts(body, &boundary)?;
        let text = |part: &Part| std::str::from_utf8(slice(body, part.value.clone())).ok();
        let mut models = parts.iter().filter(|part| part.name == "model");
        let Some(model) = models.next() else {
            let message = "model: the form has no such field";
            return Err(Refusal::new(400, "missing_required_parameter", message).about("model"));
        };
        if let Some(second) = models.next() {
            let message = format!("given twice, the second time at byte {}", second.whole.start);
            return Err(Refusal::field("duplicate_parameter", "model", message));
        }
        let model = match text(model) {
            Some(text) if text.len() <= MODEL_MAX_BYTES => text.to_owned(),
            _ => {
                let message = format!("expected at most {MODEL_MAX_BYTES} bytes of text at byte {}", model.value.start);
                return Err(Refusal::field("invalid_type", "model", message));
            }
        };
        let stream = parts.iter().any(|part| part.name == "stream" && text(part) == Some("true"));
        Ok(Form { model, stream, boundary, parts })
    }

    /// The text of a field; of the first when it is given more than once.
    pub fn value<'a>(&self, body: &'a [u8], name: &str) -> Option<&'a str> {
        let part = self.parts.iter().find(|part| part.name == name)?;
        std::str::from_utf8(slice(body, part.value.clone())).ok()
    }

    /// Bytes of its fields but for files: what of it a model may read as words.
    pub fn text_bytes(&self, body: &[u8]) -> usize {
        let is_file =
            |part: &Part| memchr::memmem::find(slice(body, part.whole.start..part.value.start), b"filename").is_some();
        self.parts.iter().filter(|part| !is_file(part)).map(|part| part.value.len()).sum()
    }

    /// The body as it goes to a target: `model` replaced, `params` set (text as it is, all else as JSON) or removed, every
    /// other byte as the client sent it.
    pub fn rewrite(&self, body: &[u8], model: &str, params: &[Param]) -> Vec<u8> {
        let mut out = Vec::with_capacity(body.len() + model.len());
        let mut copied = 0;
        for part in &self.parts {
            let param = params.iter().rev().find(|param| param.field == part.name);
            let with = match (part.name.as_str(), param.map(|param| &param.value)) {
                ("model", _) => model.to_owned(),
                (_, None) => continue,
                (_, Some(Some(value))) => field_text(value.get()),
                (_, Some(None)) => {
                    out.extend_from_slice(slice(body, copied..part.whole.start));
                    copied = part.whole.end;
                    continue;
                }
            };
            out.extend_from_slice(slice(body, copied..part.value.start));
            out.extend_from_slice(with.as_bytes());
            copied = part.value.end;
        }
        let close = self.parts.last().map_or(body.len(), |part| part.whole.end);
        out.extend_from_slice(slice(body, copied..close));
        for param in params.iter().filter(|param| self.parts.iter().all(|part| part.name != param.field)) {
            if let Some(value) = &param.value {
                let name = param.field.replace('"', "%22").replace(['\r', '\n'], " ");
                let head = format!("--{}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n", self.boundary);
                out.extend_from_slice(head.as_bytes());
                out.extend_from_slice(field_text(value.get()).as_bytes());
                out.extend_from_slice(b"\r\n");
            }
        }
        out.extend_from_slice(slice(body, close..body.len()));
        out
    }
}

/// A parameter's JSON as the text of a form field.
fn field_text(json: &str) -> String {
    serde_json::from_slice::<String>(json.as_bytes()).unwrap_or_else(|_| json.to_owned())
}

/// The `boundary` parameter: 1 to 70 characters, quoted or not.
fn boundary(content_type: &str) -> Result<String, Refusal> {
    let bad = |message: &str| Refusal::field("invalid_form", "content-type", message);
    let parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut boundaries = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"));
    let Some((_, value)) = boundaries.next() else {
        return Err(bad("expected multipart/form-data with a boundary"));
    };
    let value = value.trim().trim_matches('"');
    match value.len() {
        1..=70 => Ok(value.to_owned()),
        _ => Err(bad("a boundary has 1 to 70 characters")),
    }
}

/// The parts between the delimiters, in order.
fn parts(body: &[u8], boundary: &str) -> Result<Vec<Part>, Refusal> {
    let marker = format!("--{boundary}");
    let mut delimiters = Delimiters { body, finder: Finder::new(marker.as_bytes()), from: 0 };
    let bad = |at: usize, message: &str| {
        Refusal::new(
            400,
            "invalid_form",
            format!("the body is no multipart form of its boundary: {message} at byte {at}"),
        )
    };
    let Some(mut open) = delimiters.next() else {
        return Err(bad(0, "no delimiter found"));
    };
    let mut parts = Vec::new();
    while !open.last {
        let Some(close) = delimiters.next() else {
            return Err(bad(body.len(), "the closing delimiter is missing"));
        };
        if parts.len() == MAX_PARTS {
            return Err(bad(open.start, "more than 1000 parts"));
        }
        // The line break before a delimiter belongs to the delimiter.
        let end = close.start.saturating_sub(2);
        let Some((name, start)) = part_head(body, open.end..end) else {
            return Err(bad(open.start, "a part without a head that names it"));
        };
        parts.push(Part { name, whole: open.start..close.start, value: start..end });
        open = close;
    }
    Ok(parts)
}

/// One delimiter line.
struct Delimiter {
    start: usize,
    /// After its line break.
    end: usize,
    last: bool,
}

struct Delimiters<'a> {
    body: &'a [u8],
    finder: Finder<'a>,
    from: usize,
}

impl Iterator for Delimiters<'_> {
    type Item = Delimiter;

    /// The next marker that begins a line and ends it (spaces allowed), or is the closing one.
    fn next(&mut self) -> Option<Delimiter> {
        loop {
            let start = self.from + self.finder.find(self.body.get(self.from..)?)?;
            let after = start + self.finder.needle().len();
            self.from = after;
            let rest = self.body.get(after..)?;
            if start != 0 && !self.body.get(..start)?.ends_with(b"\r\n") {
                continue;
            }
            if rest.starts_with(b"--") {
                return Some(Delimiter { start, end: after + 2, last: true });
            }
            let spaces = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            if rest.get(spaces..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
                return Some(Delimiter { start, end: after + spaces + 2, last: false });
            }
        }
    }
}

/// The `name` of a part and where its value starts.
fn part_head(body: &[u8], span: Range<usize>) -> Option<(String, usize)> {
    // An empty value ends where the blank line does, so the delimiter's own line break is looked at too.
    let bounded = span.start..(span.end + 2).min(span.start + PART_HEADERS_MAX_BYTES).min(body.len());
    let head = body.get(bounded)?;
    let length = memchr::memmem::find(head, b"\r\n\r\n")?;
    let start = span.start + length + 4;
    let text = std::str::from_utf8(head.get(..length)?).ok()?;
    let disposition = text.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    (start <= span.end).then_some((field_name(disposition)?, start))
}

/// The `name` parameter of `form-data; name="model"; filename="a;b"`.
fn field_name(disposition: &str) -> Option<String> {
    let mut rest = disposition;
    loop {
        let (_, parameter) = rest.split_once(';')?;
        let (name, value) = parameter.split_once('=')?;
        let (value, after) = parameter_value(value.trim_start());
        if name.trim().eq_ignore_ascii_case("name") {
            return Some(value);
        }
        rest = after;
    }
}

/// A quoted string or token, and what follows it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let (token, after) = text.split_at(end);
        return (token.trim().to_owned(), after);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(c),
        }
    }
    (value, "")
}

fn slice(body: &[u8], span: Range<usize>) -> &[u8] {
    body.get(span).unwrap_or_default()
}
