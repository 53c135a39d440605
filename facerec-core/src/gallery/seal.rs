//! How blocks of the saved index are kept from being changed unnoticed, and from being read where the gallery is encrypted.

use std::borrow::Cow;
use std::sync::Arc;

use super::crypto::{Cipher, SEAL_BYTES};
use crate::error::Result;

/// A checksum behind each block, or the gallery's cipher over it.
#[derive(Clone)]
pub(super) enum Seal {
    Checksum,
    Cipher(Arc<Cipher>),
}

const SUM_BYTES: usize = 32;

impl Seal {
    pub(super) fn new(cipher: Option<&Arc<Cipher>>) -> Self {
        cipher.map_or(Self::Checksum, |cipher| Self::Cipher(Arc::clone(cipher)))
    }

    /// How many bytes longer a closed block is.
    pub(super) fn overhead(&self) -> usize {
        match self {
            Self::Checksum => SUM_BYTES,
            Self::Cipher(_) => SEAL_BYTES,
        }
    }

    /// A block as it goes to the file, in one or more pieces. It opens only with the same `context`.
    pub(super) fn close<'b>(&self, context: &[u8], block: &'b [u8]) -> Result<Vec<Cow<'b, [u8]>>> {
        match self {
            Self::Checksum => Ok(vec![block.into(), sum(context, block).to_vec().into()]),
            Self::Cipher(cipher) => Ok(vec![cipher.seal(context, block)?.into()]),
        }
    }

    /// The block; `None` when it was changed, stood elsewhere or was closed with another key.
    pub(super) fn open(&self, context: &[u8], mut closed: Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Self::Checksum => {
                let length = closed.len().checked_sub(SUM_BYTES)?;
                if closed[length..] != sum(context, &closed[..length]) {
                    return None;
                }
                closed.truncate(length);
                Some(closed)
            }
            Self::Cipher(cipher) => cipher.open(context, &closed).ok(),
        }
    }
}

fn sum(context: &[u8], block: &[u8]) -> [u8; SUM_BYTES] {
    *blake3::Hasher::new().update(context).update(block).finalize().as_bytes()
}
