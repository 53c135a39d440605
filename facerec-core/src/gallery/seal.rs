//! How blocks of the saved index are kept from being changed unnoticed, and read where the gallery is encrypted.

use std::borrow::Cow;

use crate::error::Result;

/// A checksum behind each block.
#[derive(Clone, Default)]
pub(super) struct Seal {}

const SUM_BYTES: usize = 32;

impl Seal {
    /// How many bytes longer a closed block is.
    pub(super) fn overhead(&self) -> usize {
        SUM_BYTES
    }

    /// A block as it goes to the file, in one or more pieces. It opens only with the same `context`.
    pub(super) fn close<'b>(&self, context: &[u8], block: &'b [u8]) -> Result<Vec<Cow<'b, [u8]>>> {
        Ok(vec![block.into(), sum(context, block).to_vec().into()])
    }

    /// The block; `None` when it was changed or stood elsewhere.
    pub(super) fn open(&self, context: &[u8], mut closed: Vec<u8>) -> Option<Vec<u8>> {
        let length = closed.len().checked_sub(SUM_BYTES)?;
        if closed[length..] != sum(context, &closed[..length]) {
            return None;
        }
        closed.truncate(length);
        Some(closed)
    }
}

fn sum(context: &[u8], block: &[u8]) -> [u8; SUM_BYTES] {
    *blake3::Hasher::new().update(context).update(block).finalize().as_bytes()
}
