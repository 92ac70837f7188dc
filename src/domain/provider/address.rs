//! Which addresses a `base_url` may have: HTTPS out in the world, or a loopback host for local use; never a private or
//! link-local address in any spelling, nor this Worker itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// A checked base URL, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    host: String,
}

impl BaseUrl {
    /// As it is put before a route's path.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host in its one spelling, without port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Checks a base URL. `own_host` is this Worker's own host, with its port where it has one.
    ///
    /// # Errors
    /// A message with the value and what was expected. Credentials are never repeated in it.
    pub fn parse(written: &str, own_host: Option<&str>) -> Result<BaseUrl, String> {
        let bad = |what: &str| Err(format!("{:?} {what}", without_credentials(written)));
        if written.chars().any(|c| c.is_ascii_control() || c == ' ' || c == '\\') {
            return bad("has a control character, space or backslash; expected https://host/path");
        }
        if authority(written).chars().any(|c| !c.is_ascii() || c == '%') {
            return bad(
                "has a host that is not plain ASCII; expected https://host/path, an international name in its xn-- form",
            );
        }
        let Ok(url) = Url::parse(written) else {
            return bad("is not a URL; expected https://host/path");
        };
        if !url.username().is_empty() || url.password().is_some() || written.contains('@') {
            return bad("carries credentials; expected a URL without them, the key belongs in a secret");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return bad("has a query or fragment; expected https://host/path");
        }
        let Some(host) = url.host() else {
            return bad("has no host; expected https://host/path");
        };
        match (url.scheme(), place(&host, written)) {
            (_, Place::Private) => return bad("points at a private or link-local address; expected a public host"),
            (_, Place::OddLoopback) => {
                return bad("spells a loopback host in an unusual way; expected localhost, 127.0.0.1 or [::1]");
            }
            ("https", Place::Public) | ("http" | "https", Place::Loopback) => {}
            ("http", Place::Public) => return bad("is not HTTPS; http:// is for loopback hosts only"),
            _ => return bad("is not HTTPS; expected https://host/path"),
        }
        if own_host.is_some_and(|own| is_own(&url, own)) {
            return bad("is this Worker's own host; expected another");
        }
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(BaseUrl { text, host: host.to_string() })
    }
}

enum Place {
    Public,
    Loopback,
    /// A loopback host under another spelling than people use: a sign of someone trying a door.
    OddLoopback,
    Private,
}

fn place(host: &Host<&str>, written: &str) -> Place {
    let place = match host {
        Host::Ipv4(address) => place_v4(*address),
        Host::Ipv6(address) => place_v6(*address),
        Host::Domain(name) => place_name(name),
    };
    match place {
        Place::Loopback if !is_plain_loopback(written) => Place::OddLoopback,
        place => place,
    }
}

/// Names that resolve inside a network by convention.
fn place_name(name: &str) -> Place {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return Place::Loopback;
    }
    let inside = ["internal", "local", "localdomain", "home.arpa"];
    match inside.iter().any(|end| name == *end || name.ends_with(&format!(".{end}"))) {
        true => Place::Private,
        false => Place::Public,
    }
}

fn place_v4(address: Ipv4Addr) -> Place {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (127, _, _) => Place::Loopback,
        // This network, private use, carrier-grade NAT, link-local, protocol assignments, documentation, benchmarks.
        (0 | 10, _, _)
        | (100, 64..=127, _)
        | (169, 254, _)
        | (172, 16..=31, _)
        | (192, 0, 0 | 2)
        | (192, 168, _)
        | (198, 18..=19, _)
        | (198, 51, 100)
        | (203, 0, 113) => Place::Private,
        // Multicast and reserved.
        (224..=255, _, _) => Place::Private,
        _ => Place::Public,
    }
}

fn place_v6(address: Ipv6Addr) -> Place {
    if address == Ipv6Addr::LOCALHOST {
        return Place::Loopback;
    }
    if let Some(inner) = inner_v4(address) {
        // An IPv4 address in IPv6 clothes is judged as itself, and loopback is no exception there.
        return match place_v4(inner) {
            Place::Public => Place::Public,
            Place::Loopback | Place::OddLoopback | Place::Private => Place::Private,
        };
    }
    let first = address.segments()[0];
    let second = address.segments()[1];
    let private = address.is_unspecified()
        || (first & 0xfe00) == 0xfc00 // unique local
        || (first & 0xffc0) == 0xfe80 // link-local
        || (first & 0xffc0) == 0xfec0 // site-local, of old
        || (first & 0xff00) == 0xff00 // multicast
        || (first == 0x2001 && second == 0x0db8) // documentation
        || (first == 0x2001 && second == 0) // Teredo: an IPv4 address in disguise
        || (first == 0x0100 && second == 0); // discard
    if private { Place::Private } else { Place::Public }
}

/// The IPv4 address that an IPv6 one carries: mapped, compatible, NAT64, 6to4.
fn inner_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let (high, low) = match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) | (0x64, 0xff9b, 1, _, _, _) => (high, low),
        (0, 0, 0, 0, 0xffff, 0) => (high, low),
        (0x2002, high, low, ..) => (high, low),
        _ => return None,
    };
    match (high, low) {
        (0, 0 | 1) => None,
        _ => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            Some(Ipv4Addr::new(a, b, c, d))
        }
    }
}

/// Host and port as written. Parsers pass over any number of slashes before them.
fn authority(written: &str) -> &str {
    let after = written.split_once(':').map_or("", |(_, rest)| rest);
    after.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default()
}

/// Whether the host of a URL is a loopback one, as written.
fn is_plain_loopback(written: &str) -> bool {
    let authority = authority(written);
    let end = if authority.starts_with('[') { authority.find(']').map(|at| at + 1) } else { authority.find(':') };
    is_loopback_name(&authority[..end.unwrap_or(authority.len())])
}

/// Whether a host name, as written, means the machine itself: `localhost`, `127.a.b.c` in plain decimal, or `[::1]`.
pub fn is_loopback_name(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host == "[::1]"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback() && address.to_string() == host)
}

/// Whether a URL leads to this Worker's own host, on whatever port; on a loopback host, where others live on other ports, to its own.
/// All loopback hosts are one.
fn is_own(url: &Url, own: &str) -> bool {
    let Ok(own) = Url::parse(&format!("{}://{own}", url.scheme())) else { return false };
    let name = |url: &Url| match url.host() {
        Some(host) if is_loopback(&host) => "localhost".to_owned(),
        Some(host) => host.to_string().trim_end_matches('.').to_ascii_lowercase(),
        None => String::new(),
    };
    let shared = url.host().is_some_and(|host| is_loopback(&host));
    name(url) == name(&own) && (!shared || url.port_or_known_default() == own.port_or_known_default())
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
    }
}

/// A URL fit for a message: whatever stands before an `@` is left out.
fn without_credentials(written: &str) -> String {
    let short: String = written.chars().take(120).collect();
    match (short.split_once("://"), written.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, after))) => {
            format!("{scheme}://...@{}", after.chars().take(80).collect::<String>())
        }
        (None, Some(_)) => "...".to_owned(),
        (_, None) => short,
    }
}
