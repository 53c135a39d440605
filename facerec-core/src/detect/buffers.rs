//! Input tensors that are used again.
//!
//! A tensor takes megabytes. Threads other than a program's first give so much memory back to the system after each picture
//! and fetch it again page by page for the next one: 3 ms of 32 for a photo of six faces in Node's worker threads (measured).

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Numbers in a buffer that is worth keeping: 640 x 640 pixels of three channels, twice. Larger pictures and batches are rare.
const MOST_NUMBERS: usize = 2 * 640 * 640 * 3;
/// Buffers kept: about as many as there are callers at a time.
const MOST_BUFFERS: usize = 8;

/// Buffers nobody uses at the moment.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<f32>>>);

impl Buffers {
    /// A buffer of `length` numbers whose values mean nothing.
    pub(super) fn take(&self, length: usize) -> Vec<f32> {
        let mut buffer = self.lock().pop().unwrap_or_default();
        buffer.resize(length, 0.0);
        buffer
    }

    /// Keeps a buffer for the next picture, if it is not too large and there are not enough.
    pub(super) fn give_back(&self, buffer: Vec<f32>) {
        let mut free = self.lock();
        if buffer.capacity() <= MOST_NUMBERS && free.len() < MOST_BUFFERS {
            free.push(buffer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<f32>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // only pushed to and popped from: never half changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_unless_it_is_huge() {
        let buffers = Buffers::default();
        let buffer = buffers.take(1000);
        let place = buffer.as_ptr();
        buffers.give_back(buffer);
        let again = buffers.take(900);
        assert_eq!((again.len(), again.as_ptr()), (900, place));
        buffers.give_back(vec![0.0; MOST_NUMBERS + 1]);
        assert!(buffers.take(1).capacity() <= MOST_NUMBERS);
    }
}
