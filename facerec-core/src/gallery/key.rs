//! The user's key to an encrypted gallery.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::crypto::KEY_BYTES;
use crate::error::{Error, Result};

/// The key to an encrypted gallery: 32 bytes, or a passphrase. It is wiped from memory when it is dropped, and never shown.
///
/// Whoever loses it loses the gallery: there is no other way in.
#[derive(Clone, PartialEq, Eq)]
pub struct GalleryKey(Secret);

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Secret {
    Bytes(Zeroizing<[u8; KEY_BYTES]>),
    Passphrase(Zeroizing<String>),
}

impl GalleryKey {
    /// A key of 32 random bytes, for instance from a key store. Opening costs nothing.
    pub fn bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::Bytes(Zeroizing::new(bytes)))
    }

    /// A passphrase, which should be long: everyone who holds a copy of the folder may guess at it. Opening takes about 0.2 s and
    /// 64 MiB (Argon2id), so that guessing is slow.
    pub fn passphrase(passphrase: impl Into<String>) -> Self {
        Self(Secret::Passphrase(Zeroizing::new(passphrase.into())))
    }

    /// A key of 32 bytes written as 64 hex digits or in base64.
    ///
    /// # Errors
    /// `invalid_argument` for anything else; the message does not show it.
    pub fn from_text(text: &str) -> Result<Self> {
        let text = text.trim();
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
        let bytes = match digits.map(Zeroizing::new) {
            Some(digits) if digits.len() == 2 * KEY_BYTES => digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect(),
            _ => STANDARD.decode(text).unwrap_or_default(),
        };
        Self::from_slice(&Zeroizing::new(bytes)).ok_or_else(|| not_a_key("the text"))
    }

    /// The key in a file: 32 bytes, or [text](Self::from_text).
    ///
    /// # Errors
    /// `io`; `invalid_argument` when the file holds no key.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let contents = Zeroizing::new(std::fs::read(path).map_err(|e| Error::io("read", path, e))?);
        let text = || std::str::from_utf8(&contents).ok().and_then(|text| Self::from_text(text).ok());
        Self::from_slice(&contents).or_else(text).ok_or_else(|| not_a_key(&crate::text::escape_path(path)))
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.0
    }

    fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::bytes)
    }
}

impl fmt::Debug for GalleryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Secret::Bytes(_) => "GalleryKey(32 bytes)",
            Secret::Passphrase(_) => "GalleryKey(passphrase)",
        })
    }
}

fn not_a_key(place: &str) -> Error {
    Error::argument("key", format!("expected 32 bytes, as 64 hex digits or in base64, got something else in `{place}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_three_forms_and_never_shown() {
        let key = GalleryKey::bytes([0xab; 32]);
        assert_eq!(GalleryKey::from_text(&format!(" {}\n", "aB".repeat(32))).expect("hex"), key);
        assert_eq!(GalleryKey::from_text("q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=").expect("base64"), key);
        let file = tempfile::NamedTempFile::new().expect("a file");
        for contents in [&[0xab; 32][..], "ab".repeat(32).as_bytes(), b"q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n"] {
            std::fs::write(file.path(), contents).expect("written");
            assert_eq!(GalleryKey::from_file(file.path()).expect("a key"), key);
        }
        for bad in ["", "secret", &"ab".repeat(31), &"ab".repeat(33), "q6ur"] {
            let error = GalleryKey::from_text(bad).expect_err("no key");
            assert_eq!(error.kind().code(), "invalid_argument");
            assert!(bad.is_empty() || !error.to_string().contains(bad), "{error}");
        }
        assert_eq!(format!("{key:?} {:?}", GalleryKey::passphrase("secret")), "GalleryKey(32 bytes) GalleryKey(passphrase)");
    }
}
