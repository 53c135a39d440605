//! What a stream has lost: packets that cannot be decoded, and frames that the decoder had to patch up.

use super::ffmpeg::util::frame::Video as AvFrame;
use super::ffmpeg::{Error as AvError, Packet, failed};
use crate::error::Result;

/// So many packets without a frame are no passing damage.
const MOST_IN_A_ROW: u32 = 2000;

/// Counts damage. What cannot be decoded before the first key frame is none: a broadcast is joined, and a place sought, between
/// key frames, and pictures shown before a key frame may lean on those before it.
#[derive(Default)]
pub(super) struct Damage {
    /// Damaged packets and frames.
    pub(super) count: u64,
    /// Of these, packets that gave no frame.
    pub(super) undecodable: u64,
    in_a_row: u32,
    /// The tick of the first key packet.
    key: Option<i64>,
    shown: bool,
}

impl Damage {
    /// A packet goes to the decoder.
    pub(super) fn feed(&mut self, packet: &Packet) {
        if !self.shown && self.key.is_none() && packet.is_key() {
            self.key = packet.pts().or(packet.dts());
        }
    }

    /// A packet cannot be read or decoded; an error when nothing can any more.
    pub(super) fn skip(&mut self, error: &AvError, draining: bool, place: &str) -> Result<()> {
        (self.count, self.in_a_row) = (self.count + 1, self.in_a_row + 1);
        self.undecodable += u64::from(self.shown); // before the first frame it is not joined yet
        tracing::warn!(%error, count = self.count, "damaged video data skipped");
        if self.in_a_row > MOST_IN_A_ROW || draining && self.in_a_row > 64 {
            return Err(failed(format!("nothing more can be decoded {place}"), error));
        }
        Ok(())
    }

    /// A frame came out.
    pub(super) fn show(&mut self, frame: &AvFrame) {
        self.in_a_row = 0;
        if !self.shown {
            self.shown = true;
            // Unless the first key frame itself is lost.
            let is_first = |key: i64| frame.timestamp().is_none_or(|ticks| ticks <= key);
            if self.key.is_none_or(is_first) {
                self.count = 0;
            }
        }
        self.count += u64::from(is_patched(frame));
    }
}

/// Whether the decoder had to guess parts of the frame.
fn is_patched(frame: &AvFrame) -> bool {
    // SAFETY: the frame is live; the field is a plain number.
    #[allow(unsafe_code)]
    unsafe {
        (*frame.as_ptr()).decode_error_flags != 0
    }
}
