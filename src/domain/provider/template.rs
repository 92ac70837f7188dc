//! Base URLs from their templates: regions, hosts, variables; and what goes into a path.

use super::MissingVariable;
use super::table::{Dialect, Row};

/// The region that a call goes to: the target's, the variable's, or the default. `None` for providers without regions.
pub(super) fn region_of(row: &Row, region: Option<&str>, vars: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let (default, variable) = row.region?;
    let named = match row.dialect {
        Dialect::Bedrock => region.and_then(aws_region),
        Dialect::OpenAi | Dialect::Anthropic | Dialect::Azure | Dialect::Vertex => region,
    };
    Some(named.map(str::to_owned).or_else(|| vars(variable)).unwrap_or_else(|| default.to_owned()))
}

/// Where to call for a region of Bedrock: `eu-central-1` is a place, `eu` is a profile that some place serves, `global`
/// one that every place serves.
fn aws_region(region: &str) -> Option<&str> {
    match region {
        "global" => None,
        "us" => Some("us-east-1"),
        "eu" => Some("eu-central-1"),
        "jp" => Some("ap-northeast-1"),
        "au" => Some("ap-southeast-2"),
        "apac" => Some("ap-southeast-1"),
        "us-gov" => Some("us-gov-west-1"),
        place => Some(place),
    }
}

/// A base URL with its places filled in.
pub(super) fn fill(
    template: &str,
    row: &Row,
    region: Option<&str>,
    vars: &impl Fn(&str) -> Option<String>,
) -> Result<String, MissingVariable> {
    let mut url = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        url.push_str(before);
        url.push_str(&match name {
            "region" => region_of(row, region, vars).unwrap_or_default(),
            "vertex_host" => vertex_host(&region_of(row, region, vars).unwrap_or_default()),
            "AZURE_RESOURCE_NAME" => variable(&azure_variable(region), vars)?,
            name => variable(name, vars)?,
        });
        rest = after;
    }
    url.push_str(rest);
    Ok(url)
}

pub(super) fn variable(name: &str, vars: &impl Fn(&str) -> Option<String>) -> Result<String, MissingVariable> {
    vars(name)
        .map(|value| {
            value.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect::<String>()
        })
        .filter(|value| !value.is_empty())
        .ok_or_else(|| MissingVariable(name.to_owned()))
}

/// Azure's regions are resources: each has a name of its own.
fn azure_variable(region: Option<&str>) -> String {
    match region {
        Some(region) => format!("AZURE_RESOURCE_NAME_{}", shout(region)),
        None => "AZURE_RESOURCE_NAME".to_owned(),
    }
}

fn vertex_host(region: &str) -> String {
    match region {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{region}.rep.googleapis.com"),
        region => format!("{region}-aiplatform.googleapis.com"),
    }
}

pub(super) fn shout(region: &str) -> String {
    region.to_ascii_uppercase().replace('-', "_")
}

/// A path segment, percent-encoded: every byte but the unreserved ones. Bedrock's ids contain `:` and `/`.
pub(super) fn escape(model: &str) -> String {
    encode(model, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'))
}

/// Vertex wants the `@` of a version as it is.
pub(super) fn model_segment(model: &str) -> String {
    encode(model, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b'@'))
}

fn encode(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match keep(byte) {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
