//! Encryption at rest: only this file names the cryptographic crates (RustCrypto).
//!
//! Every encrypted gallery has a random data key. It is kept in the database, sealed by a key that follows from the user's: from
//! 32 bytes through HKDF-SHA256 (RFC 5869), from a passphrase through Argon2id (RFC 9106). The cipher is XChaCha20-Poly1305
//! (draft-irtf-cfrg-xchacha-03), whose nonces of 24 bytes may be drawn at random for ever. What is sealed is bound to its context:
//! it does not open in another place.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, AeadInOut, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::key::{GalleryKey, Secret};
use crate::error::{Error, Result};

/// Bytes in a key.
pub(super) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// How many bytes longer sealed data is.
pub(super) const SEAL_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// Argon2id, RFC 9106 section 4, second recommended option: 64 MiB, 3 passes, 4 lanes. A guess costs about a fifth of a second.
const KDF: Kdf = Kdf { memory_kib: 64 << 10, passes: 3, lanes: 4 };
/// What a gallery's own numbers may ask for: a foreign file must not take all memory.
const MAX_KDF: Kdf = Kdf { memory_kib: 2 << 20, passes: 64, lanes: 64 };

type Key = Zeroizing<[u8; KEY_BYTES]>;

/// Seals and opens what a gallery stores.
pub(super) struct Cipher(XChaCha20Poly1305);

/// Sealed data does not open: it was changed, belongs elsewhere or was sealed under another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not open with the gallery's key: it was changed, or moved from another place")]
pub(super) struct Tampered;

/// A data key as it is stored, and how the key that opens it follows from the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrappedKey {
    pub(super) salt: Vec<u8>,
    /// For a passphrase.
    pub(super) kdf: Option<Kdf>,
    pub(super) sealed: Vec<u8>,
}

/// Parameters of Argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kdf {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl Cipher {
    /// A new data key, to be opened again with `key`.
    ///
    /// # Errors
    /// `invalid_argument` for an empty passphrase.
    pub(super) fn create(key: &GalleryKey) -> Result<(Self, WrappedKey)> {
        let mut data_key = Key::default();
        random(&mut *data_key)?;
        let mut salt = vec![0; 16];
        random(&mut salt)?;
        let kdf = matches!(key.secret(), Secret::Passphrase(_)).then_some(KDF);
        let wrapping = wrapping_key(key, &salt, kdf)?;
        let sealed = Self::new(&wrapping).seal(&wrap_context(&salt, kdf), &*data_key)?;
        Ok((Self::new(&data_key), WrappedKey { salt, kdf, sealed }))
    }

    /// The cipher of a stored data key. `None` when `key` is not the one that it was stored under.
    pub(super) fn unwrap(key: &GalleryKey, wrapped: &WrappedKey) -> Result<Option<Self>> {
        let fits = match key.secret() {
            Secret::Bytes(_) => wrapped.kdf.is_none(),
            Secret::Passphrase(text) => wrapped.kdf.is_some_and(|kdf| kdf.is_sane() && !text.is_empty()),
        };
        if !fits {
            return Ok(None);
        }
        let wrapping = wrapping_key(key, &wrapped.salt, wrapped.kdf)?;
        let opened = Self::new(&wrapping).open(&wrap_context(&wrapped.salt, wrapped.kdf), &wrapped.sealed).map(Zeroizing::new);
        let data_key = opened.ok().and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok()).map(Zeroizing::new);
        Ok(data_key.map(|key| Self::new(&key)))
    }

    fn new(key: &Key) -> Self {
        Self(XChaCha20Poly1305::new((&**key).into()))
    }

    /// `plain` encrypted and bound to `context`: a random nonce, the ciphertext, a tag.
    ///
    /// # Errors
    /// `internal` when the system gives no randomness.
    pub(super) fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let mut sealed = Vec::with_capacity(plain.len() + SEAL_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = self.0.encrypt_inout_detached(&XNonce::from(nonce), context, (&mut sealed[NONCE_BYTES..]).into());
        // The cipher's limit is 256 GB under one nonce.
        sealed.extend_from_slice(&tag.map_err(|_| Error::internal("too much to seal at once"))?);
        Ok(sealed)
    }

    /// What [`seal`](Self::seal) was given, if nothing was changed and the context is the same.
    pub(super) fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Tampered> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Tampered)?;
        self.0.decrypt(&XNonce::from(*nonce), Payload { msg: rest, aad: context }).map_err(|_| Tampered)
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

impl Kdf {
    /// Neither more than a machine can give, nor what Argon2 does not define.
    fn is_sane(&self) -> bool {
        self.memory_kib <= MAX_KDF.memory_kib && self.passes <= MAX_KDF.passes && self.lanes <= MAX_KDF.lanes && self.params().is_some()
    }

    fn params(&self) -> Option<Params> {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES)).ok()
    }
}

/// Fills `bytes` with randomness from the operating system.
pub(super) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|e| Error::internal(format!("the system gives no randomness: {e}")))
}

/// The key that seals the data key.
fn wrapping_key(key: &GalleryKey, salt: &[u8], kdf: Option<Kdf>) -> Result<Key> {
    let mut wrapping = Key::default();
    match (key.secret(), kdf.and_then(|kdf| kdf.params())) {
        (Secret::Bytes(bytes), _) => {
            let derived = Hkdf::<Sha256>::new(Some(salt), &**bytes).expand(b"facerec gallery: wrap", &mut *wrapping);
            derived.map_err(|e| Error::internal(format!("HKDF: {e}")))?;
        }
        (Secret::Passphrase(text), _) if text.is_empty() => {
            return Err(Error::argument("passphrase", "expected at least one character, got ``"));
        }
        (Secret::Passphrase(text), Some(params)) => {
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            argon2.hash_password_into(text.as_bytes(), salt, &mut *wrapping).map_err(|e| Error::internal(format!("Argon2: {e}")))?;
        }
        (Secret::Passphrase(_), None) => return Err(Error::internal("a passphrase without its parameters")),
    }
    Ok(wrapping)
}

/// Binds the wrapped key to what it was wrapped with.
fn wrap_context(salt: &[u8], kdf: Option<Kdf>) -> Vec<u8> {
    let numbers = kdf.map_or([0; 3], |kdf| [kdf.memory_kib, kdf.passes, kdf.lanes]);
    [b"key", salt].into_iter().flatten().copied().chain(numbers.into_iter().flat_map(u32::to_le_bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher(byte: u8) -> Cipher {
        Cipher::new(&Zeroizing::new([byte; KEY_BYTES]))
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let (cipher, other) = (cipher(1), cipher(2));
        let sealed = cipher.seal(b"face 1", b"a vector").expect("sealed");
        assert_eq!(sealed.len(), 8 + SEAL_BYTES);
        assert_eq!(cipher.open(b"face 1", &sealed).as_deref(), Ok(&b"a vector"[..]));
        assert_eq!(cipher.open(b"face 2", &sealed), Err(Tampered));
        assert_eq!(other.open(b"face 1", &sealed), Err(Tampered));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(cipher.open(b"face 1", &changed), Err(Tampered), "byte {at}");
            assert_eq!(cipher.open(b"face 1", &sealed[..at]), Err(Tampered), "cut at {at}");
        }
        assert_ne!(cipher.seal(b"face 1", b"a vector").expect("sealed"), sealed, "nonces are random");
    }

    #[test]
    fn a_data_key_opens_with_its_own_key_only() {
        let keys = [GalleryKey::bytes([7; 32]), GalleryKey::passphrase("correct horse"), GalleryKey::passphrase("battery staple")];
        for key in &keys {
            let (cipher, wrapped) = Cipher::create(key).expect("a cipher");
            let sealed = cipher.seal(b"", b"x").expect("sealed");
            for other in &keys {
                let opened = Cipher::unwrap(other, &wrapped).expect("no error");
                assert_eq!(opened.is_some(), other == key, "{other:?}");
                assert_eq!(opened.is_some_and(|opened| opened.open(b"", &sealed).is_ok()), other == key);
            }
            let changed = WrappedKey { salt: vec![0; 16], ..wrapped.clone() };
            assert!(Cipher::unwrap(key, &changed).expect("no error").is_none());
            let greedy = WrappedKey { kdf: wrapped.kdf.map(|kdf| Kdf { memory_kib: u32::MAX, ..kdf }), ..wrapped };
            assert_eq!(Cipher::unwrap(key, &greedy).expect("no error").is_some(), greedy.kdf.is_none());
        }
        assert_eq!(Cipher::create(&GalleryKey::passphrase("")).expect_err("empty").kind().code(), "invalid_argument");
    }
}
