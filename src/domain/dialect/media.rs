//! Images and files as URLs with their data inside: `data:<type>;base64,<data>`.

use crate::domain::dialect::conversation::Source;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What an `image_url` or `file_data` holds: base64 data, or an address. Types are lower-case, `image/jpg` is `image/jpeg`.
/// `None` for a data URL that is not base64.
pub fn source(url: &str) -> Option<Source> {
    let Some(rest) = strip_scheme(url) else { return Some(Source::Url(url.to_owned())) };
    let (head, data) = rest.split_once(',')?;
    let (media_type, base64) = head.split_once(';').unwrap_or((head, ""));
    let is_base64 = base64.split(';').any(|word| word.eq_ignore_ascii_case("base64"));
    is_base64.then(|| Source::Base64 { media_type: media_type_of(media_type), data: data.to_owned() })
}

/// A source as an address again.
pub fn url(source: &Source) -> Option<String> {
    match source {
        Source::Url(url) => Some(url.clone()),
        Source::Base64 { media_type, data } => Some(format!("data:{media_type};base64,{data}")),
        Source::Text(_) => None,
    }
}

/// The text of a document that is nothing else, be it in base64.
pub fn text_of(source: &Source) -> Option<String> {
    match source {
        Source::Text(text) => Some(text.clone()),
        Source::Base64 { media_type, data } if media_type.starts_with("text/") => {
            String::from_utf8(STANDARD.decode(data).ok()?).ok()
        }
        Source::Base64 { .. } | Source::Url(_) => None,
    }
}

/// A document of plain text as text alone, its title first.
pub fn titled(title: Option<&str>, text: &str) -> String {
    title.map_or_else(|| text.to_owned(), |title| format!("{title}\n{text}"))
}

/// A file's name for wires that tell its format by the end of it: the title, where it is one.
pub fn file_name(title: Option<&str>, media_type: &str) -> String {
    let end = match media_type {
        "text/plain" => "txt",
        "text/markdown" => "md",
        "application/msword" => "doc",
        word if word.ends_with("wordprocessingml.document") => "docx",
        sheet if sheet.ends_with("spreadsheetml.sheet") => "xlsx",
        slides if slides.ends_with("presentationml.presentation") => "pptx",
        other => other.rsplit(['/', '+', '.']).next().unwrap_or(other),
    };
    match title {
        Some(title) if ends_as_a_file(title) => title.to_owned(),
        Some(title) => format!("{title}.{end}"),
        None => format!("document.{end}"),
    }
}

/// The media type of a file whose data do not say it, by the end of its name. A PDF is what such fields are for.
pub fn type_of_name(name: Option<&str>) -> &'static str {
    let end = name.and_then(|name| name.rsplit_once('.')).map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
    match end.as_str() {
        "txt" | "text" | "log" => "text/plain",
        "md" | "markdown" => "text/markdown",
        "csv" => "text/csv",
        "htm" | "html" => "text/html",
        "json" => "application/json",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        _ => "application/pdf",
    }
}

/// Whether a name ends in a dot and a few letters.
fn ends_as_a_file(name: &str) -> bool {
    let end = name.rsplit_once('.').map(|(_, end)| end).unwrap_or_default();
    (1..=5).contains(&end.len()) && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A media type in its one spelling.
pub fn media_type_of(text: &str) -> String {
    match text.trim().to_ascii_lowercase() {
        jpg if jpg == "image/jpg" => "image/jpeg".to_owned(),
        other => other,
    }
}

fn strip_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_at_checked(5)?;
    scheme.eq_ignore_ascii_case("data:").then_some(rest)
}
