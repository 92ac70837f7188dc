//! Provider keys at rest: AES-256-GCM under the Worker's own key.
//!
//! ```text
//! v1.<key id>.<nonce>.<data>
//!    key id   first 8 hex digits of the SHA-256 of the 32 bytes of KEK
//!    nonce    12 bytes, base64url without padding
//!    data     ciphertext and 16 bytes of tag, base64url without padding
//! bound to "<gateway key's id>:<provider>", so that a ciphertext moved to another key or provider does not open
//! ```
//! `KEK` seals; `KEK` and `KEK_PREVIOUS` open, so that a key can be replaced while old ciphertexts stand.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::fmt;

/// The longest provider key that is stored, in bytes.
pub const SECRET_MAX_BYTES: usize = 8 * 1024;

const VERSION: &str = "v1";
const NONCE_BYTES: usize = 12;

/// A key that encrypts keys.
pub struct Kek {
    id: String,
    cipher: Aes256Gcm,
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kek").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Where a ciphertext belongs: it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// SHA-256 of the gateway key, in hex.
    pub key_hash: &'a str,
    pub provider: &'a str,
}

/// Why a secret could not be sealed or opened. None of them tells anything of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CryptoError {
    /// `KEK` is not base64 of 32 bytes.
    BadKek,
    /// Not `v1.<key id>.<nonce>.<data>`.
    Format,
    /// Sealed under a key that is neither `KEK` nor `KEK_PREVIOUS`.
    UnknownKek,
    /// Altered, or moved from another gateway key or provider.
    Forged,
    /// Empty or longer than [`SECRET_MAX_BYTES`].
    Size,
}

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CryptoError::BadKek => "KEK is not base64 of 32 bytes",
            CryptoError::Format => "the stored key is not v1.<key id>.<nonce>.<data>",
            CryptoError::UnknownKek => "the stored key was sealed under neither KEK nor KEK_PREVIOUS",
            CryptoError::Forged => "the stored key was altered, or belongs to another gateway key or provider",
            CryptoError::Size => "a provider key has 1 to 8192 bytes",
        })
    }
}

impl std::error::Error for CryptoError {}

/// A sealed secret, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Which KEK opens it.
    pub kek_id: String,
    pub nonce: [u8; NONCE_BYTES],
    pub data: Vec<u8>,
}

impl Kek {
    /// Reads `KEK` or `KEK_PREVIOUS`.
    ///
    /// # Errors
    /// [`CryptoError::BadKek`]
    pub fn parse(base64: &str) -> Result<Kek, CryptoError> {
        let bytes = STANDARD.decode(base64.trim()).map_err(|_| CryptoError::BadKek)?;
        let cipher = Aes256Gcm::new_from_slice(&bytes).map_err(|_| CryptoError::BadKek)?;
        let digest = Sha256::digest(&bytes);
        Ok(Kek { id: base16ct::lower::encode_string(&digest[..4]), cipher })
    }

    /// Which key this is, as ciphertexts name it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals a provider's key. The nonce must be fresh randomness.
    ///
    /// # Errors
    /// [`CryptoError::Size`]
    pub fn seal(&self, secret: &str, nonce: [u8; NONCE_BYTES], place: Place<'_>) -> Result<String, CryptoError> {
        if secret.is_empty() || secret.len() > SECRET_MAX_BYTES {
            return Err(CryptoError::Size);
        }
        let aad = bound_to(place);
        let payload = Payload { msg: secret.as_bytes(), aad: aad.as_bytes() };
        let data = self.cipher.encrypt(Nonce::from_slice(&nonce), payload).map_err(|_| CryptoError::Size)?;
        Ok(Sealed { kek_id: self.id.clone(), nonce, data }.to_string())
    }
}

/// Opens a sealed provider key with whichever of the given keys sealed it.
///
/// # Errors
/// [`CryptoError`], telling which of format, key and authenticity failed.
pub fn open<'a>(
    sealed: &str,
    keks: impl IntoIterator<Item = &'a Kek>,
    place: Place<'_>,
) -> Result<String, CryptoError> {
    let sealed = Sealed::parse(sealed)?;
    let kek = keks.into_iter().find(|kek| kek.id == sealed.kek_id).ok_or(CryptoError::UnknownKek)?;
    let aad = bound_to(place);
    let payload = Payload { msg: &sealed.data, aad: aad.as_bytes() };
    let opened = kek.cipher.decrypt(Nonce::from_slice(&sealed.nonce), payload).map_err(|_| CryptoError::Forged)?;
    String::from_utf8(opened).map_err(|_| CryptoError::Forged)
}

impl Sealed {
    /// Takes `v1.<key id>.<nonce>.<data>` apart.
    ///
    /// # Errors
    /// [`CryptoError::Format`]
    pub fn parse(text: &str) -> Result<Sealed, CryptoError> {
        let mut parts = text.split('.');
        let (version, kek_id, nonce, data) = (parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(VERSION), Some(kek_id), Some(nonce), Some(data), None) = (version, kek_id, nonce, data, parts.next())
        else {
            return Err(CryptoError::Format);
        };
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| CryptoError::Format);
        let is_id = kek_id.len() == 8 && kek_id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_id || data.len() > 2 * SECRET_MAX_BYTES {
            return Err(CryptoError::Format);
        }
        let nonce = decode(nonce)?.try_into().map_err(|_| CryptoError::Format)?;
        Ok(Sealed { kek_id: kek_id.to_owned(), nonce, data: decode(data)? })
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (nonce, data) = (URL_SAFE_NO_PAD.encode(self.nonce), URL_SAFE_NO_PAD.encode(&self.data));
        write!(f, "{VERSION}.{}.{nonce}.{data}", self.kek_id)
    }
}

/// What the ciphertext is authenticated with beside itself.
fn bound_to(place: Place<'_>) -> String {
    format!("{}:{}", place.key_hash, place.provider)
}
