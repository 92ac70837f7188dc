//! Gateway keys: the text a client presents, and the document it stands for.
//!
//! ```text
//! us-0aZ...34 characters of base62...cccccc      cccccc: CRC-32 of the 34 in base62, most significant digit first
//! KV key:<sha256 hex of the whole text> = {"name": "web", "group": "acme", "allow": ["policy/*"], ...}
//! ```
//! Only the hash is stored. The checksum lets a mistyped or guessed key be refused without a read.

mod file;

pub use file::{KEY, KeyFile, is_field, parse};

use sha2::{Digest, Sha256};

use crate::domain::checksum::crc32;
use crate::domain::refusal::Refusal;
use crate::domain::request::Headers;

/// What every gateway key begins with.
pub const PREFIX: &str = "us-";

/// Characters of randomness: 202 bits.
const RANDOM_DIGITS: usize = 34;
const CHECK_DIGITS: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The text of a new key, from 32 random bytes.
pub fn generate(random: [u8; 32]) -> String {
    let mut number = random;
    let digits: String = (0..RANDOM_DIGITS).map(|_| digit(divide_by_62(&mut number))).collect();
    let check = checksum(&digits);
    format!("{PREFIX}{digits}{check}")
}

/// Whether a text can be a gateway key: its form and its checksum.
pub fn is_well_formed(key: &str) -> bool {
    let Some(digits) = key.strip_prefix(PREFIX) else { return false };
    if digits.len() != RANDOM_DIGITS + CHECK_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return false;
    }
    let (random, check) = digits.split_at(RANDOM_DIGITS);
    checksum(random) == check
}

/// The key's id: SHA-256 of its text, 64 hex digits. The document is KV `key:<id>`.
pub fn hash(key: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(key.as_bytes()))
}

/// The key that a request presents: as bearer, `x-api-key` or `api-key`, the first of these that has the form of a gateway
/// key, else the first that is there at all.
pub fn presented(headers: &Headers) -> Option<&str> {
    let bearer = headers.value("authorization").and_then(|value| {
        let (scheme, key) = value.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let given = [bearer, headers.value("x-api-key").map(str::trim), headers.value("api-key").map(str::trim)];
    let given = || given.into_iter().flatten().filter(|key| !key.is_empty());
    given().find(|key| is_well_formed(key)).or_else(|| given().next())
}

/// 401: no key, or none that is known here.
pub fn unknown(presented: Option<&str>) -> Refusal {
    let message = match presented {
        None => "no API key: send a gateway key as bearer, x-api-key or api-key",
        Some(key) if is_well_formed(key) => "this API key is not known here",
        Some(_) => "this is no gateway key of Understudy: us- and 40 letters and digits, the last 6 a checksum",
    };
    Refusal::new(401, "invalid_api_key", message)
}

/// Whether a text can be a provider's key: what a header can hold, or a service account's JSON, which is signed with and not sent.
pub fn is_provider_key(key: &str) -> bool {
    let is_sendable = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    is_sendable || serde_json::from_str::<serde_json::Value>(key).is_ok_and(|value| value.is_object())
}

/// Divides a big-endian number in place, and answers the remainder.
fn divide_by_62(number: &mut [u8; 32]) -> u8 {
    let mut remainder: u16 = 0;
    for byte in number.iter_mut() {
        let value = remainder << 8 | u16::from(*byte);
        *byte = (value / 62) as u8;
        remainder = value % 62;
    }
    remainder as u8
}

fn digit(value: u8) -> char {
    DIGITS.get(usize::from(value)).copied().map_or('0', char::from)
}

/// CRC-32 (IEEE) of the text as six digits of base62.
fn checksum(digits: &str) -> String {
    let mut rest = crc32(digits.as_bytes());
    let mut check = [b'0'; CHECK_DIGITS];
    for place in check.iter_mut().rev() {
        *place = digit((rest % 62) as u8) as u8;
        rest /= 62;
    }
    check.iter().copied().map(char::from).collect()
}
