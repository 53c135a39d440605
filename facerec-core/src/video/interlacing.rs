//! Whether frames consist of two fields, taken one after the other and shown in turns of rows: because the stream says so, or
//! because it shows.
//!
//! What shows it: rows of one field woven with rows of the other make combs where something moved between the two. Stripes and
//! letters look like combs, too, so the frame before is asked. Weaving one field of this frame with the other field of the frame
//! before makes a comb of one frame's motion both ways if frames are progressive; if they are interlaced, one of the two ways
//! spans half a frame's motion, as the frame itself does, and the other three halves. So interlacing is *asymmetric*, which no
//! progressive picture is, however striped, and which tells the order of the fields. FFmpeg's `idet` filter rests on the same.

use std::sync::Arc;

use super::Deinterlace;
use super::ffmpeg::codec::field_order::FieldOrder;
use super::ffmpeg::util::frame::Video as AvFrame;
use super::planes::{Sample, Samples, row, row_bytes};

/// What is needed to take a frame's first field apart from its second.
#[derive(Clone)]
pub(super) struct Fields {
    /// Whether the first field has the uppermost row.
    pub(super) top_first: bool,
    /// The frame before.
    pub(super) previous: Option<Arc<AvFrame>>,
}

/// Decides frame by frame, in the order of presentation.
pub(super) struct Interlacing {
    mode: Deinterlace,
    /// What the container says.
    stated: FieldOrder,
    previous: Option<Arc<AvFrame>>,
    /// Above zero for interlaced, below for progressive frames that were seen.
    evidence: i32,
    /// Above zero for the top field first.
    order: i32,
    /// Whether frames that do not say so are taken as interlaced.
    found: bool,
    /// Whether frames that say they are interlaced are taken as progressive.
    denied: bool,
    count: u64,
}

/// Evidence does not grow beyond this: a change is noticed within a second.
const MOST: i32 = 12;

/// An interlaced frame weighs as much as so many progressive ones: of telecined film three frames of five are progressive, and a
/// cut in interlaced video looks like a progressive frame.
const WEIGHT: i32 = 3;

/// So many frames of a video are all looked at.
const FIRST: u64 = 24;

/// Later on, one of so many while nothing speaks for fields.
const SELDOM: u64 = 4;

impl Interlacing {
    pub(super) fn new(mode: Deinterlace, stated: FieldOrder) -> Self {
        Self { mode, stated, previous: None, evidence: 0, order: 0, found: false, denied: false, count: 0 }
    }

    /// Frames that follow do not continue those before.
    pub(super) fn reset(&mut self) {
        self.previous = None;
    }

    /// The fields of the next frame, if it has any.
    pub(super) fn look(&mut self, frame: &Arc<AvFrame>) -> Option<Fields> {
        if self.mode == Deinterlace::Off {
            return None;
        }
        let previous = self.previous.replace(Arc::clone(frame)).filter(|previous| is_like(previous, frame));
        let by_container = matches!(self.stated, FieldOrder::TT | FieldOrder::BB | FieldOrder::TB | FieldOrder::BT);
        let says_so = frame.is_interlaced() || by_container;
        self.count += 1;
        let settled = !says_so && !self.found && self.evidence <= 0 && self.count > FIRST && self.mode == Deinterlace::Auto;
        if let Some(previous) = previous.as_ref().filter(|_| !settled || self.count.is_multiple_of(SELDOM)) {
            self.weigh(Verdict::of(frame, previous));
        }
        let interlaced = match self.mode {
            Deinterlace::Off => false,
            Deinterlace::On => true,
            Deinterlace::Auto => {
                if says_so {
                    !self.denied
                } else {
                    self.found
                }
            }
        };
        let top_first = match self.order {
            3.. => true,
            ..=-3 => false,
            _ if frame.is_interlaced() => frame.is_top_first(),
            // Coded order first, then the order of display, which counts.
            _ => !matches!(self.stated, FieldOrder::BB | FieldOrder::TB),
        };
        interlaced.then_some(Fields { top_first, previous })
    }

    fn weigh(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Interlaced { top_first } => {
                self.evidence = (self.evidence + WEIGHT).min(MOST);
                self.order = (self.order + if top_first { 1 } else { -1 }).clamp(-6, 6);
            }
            Verdict::Progressive => self.evidence = (self.evidence - 1).max(-MOST),
            Verdict::Unknown => {}
        }
        // Between the two limits it stays as it is.
        self.found = if self.found { self.evidence > -MOST / 2 } else { self.evidence >= 2 * WEIGHT };
        self.denied = if self.denied { self.evidence < 0 } else { self.evidence <= -MOST };
    }
}

/// Whether one frame's rows can be woven with the other's.
fn is_like(a: &AvFrame, b: &AvFrame) -> bool {
    (a.format(), a.width(), a.height()) == (b.format(), b.width(), b.height())
}

/// What a frame and the one before show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Interlaced {
        top_first: bool,
    },
    Progressive,
    /// Nothing moves, or not clearly.
    Unknown,
}

/// A place where combs are measured, in samples.
const BLOCK: (usize, usize) = (32, 16);

/// About so many places are looked at, spread over the picture.
const BLOCKS: usize = 512;

/// Comb energy per sample, in grey levels, below which a difference may be noise.
const CLEAR: i32 = 2;

impl Verdict {
    fn of(frame: &AvFrame, previous: &AvFrame) -> Self {
        match Samples::of(frame.format()) {
            Some(Samples::Bytes) => Self::measure::<u8>(frame, previous, 0),
            Some(Samples::Words(shift)) => Self::measure::<u16>(frame, previous, shift),
            None => Some(Self::Unknown),
        }
        .unwrap_or(Self::Unknown)
    }

    fn measure<T: Sample>(frame: &AvFrame, previous: &AvFrame, shift: u32) -> Option<Self> {
        let bytes = *row_bytes(frame)?.first()?.min(row_bytes(previous)?.first()?);
        let width = bytes / size_of::<T>();
        let (columns, rows) = (width / BLOCK.0, (frame.height() as usize).saturating_sub(2) / BLOCK.1);
        let (data, before) = (frame.data(0), previous.data(0));
        let (stride, stride_before) = (frame.stride(0), previous.stride(0));
        let every = (columns * rows).div_ceil(BLOCKS).max(1);
        let (mut interlaced, mut progressive, mut top) = (0usize, 0usize, 0usize);
        for place in (0..columns * rows).step_by(every) {
            let (x, y) = (place % columns * BLOCK.0, place / columns * BLOCK.1);
            let mut energy = Energy::default();
            for y in y + 1..=y + BLOCK.1 {
                let now = |y: usize| row::<T>(data, stride, y, bytes)?.get(x..x + BLOCK.0);
                let then = |y: usize| row::<T>(before, stride_before, y, bytes)?.get(x..x + BLOCK.0);
                energy.add(y, [now(y - 1)?, now(y)?, now(y + 1)?], [then(y - 1)?, then(y)?, then(y + 1)?], shift);
            }
            match energy.verdict() {
                Self::Interlaced { top_first } => {
                    interlaced += 1;
                    top += usize::from(top_first);
                }
                Self::Progressive => progressive += 1,
                Self::Unknown => {}
            }
        }
        Some(if interlaced >= 3 && interlaced > 2 * progressive && top.max(interlaced - top) * 4 >= interlaced * 3 {
            Self::Interlaced { top_first: top * 2 > interlaced }
        } else if progressive >= 3 && progressive > 2 * interlaced {
            Self::Progressive
        } else {
            Self::Unknown
        })
    }
}

/// The comb energy of a block: the sum of `|a - 2 b + c|` over rows above each other.
#[derive(Default)]
struct Energy {
    /// Of the frame itself.
    own: i32,
    /// Of its upper field woven with the lower field of the frame before.
    top: i32,
    /// Of its lower field woven with the upper field of the frame before.
    bottom: i32,
}

impl Energy {
    fn add<T: Sample>(&mut self, y: usize, now: [&[T]; 3], then: [&[T]; 3], shift: u32) {
        self.own += comb(now[0], now[1], now[2], shift);
        let (of_now, of_then) = (comb(then[0], now[1], then[2], shift), comb(now[0], then[1], now[2], shift));
        let (top, bottom) = if y.is_multiple_of(2) { (of_now, of_then) } else { (of_then, of_now) };
        self.top += top;
        self.bottom += bottom;
    }

    fn verdict(&self) -> Verdict {
        let clear = CLEAR * (BLOCK.0 * BLOCK.1) as i32;
        let least = self.top.min(self.bottom) - self.own;
        let asymmetry = (self.top - self.bottom).abs();
        if asymmetry > clear && least < asymmetry / 2 {
            Verdict::Interlaced { top_first: self.top < self.bottom }
        } else if least > clear && least > asymmetry {
            Verdict::Progressive
        } else {
            Verdict::Unknown
        }
    }
}

fn comb<T: Sample>(above: &[T], middle: &[T], below: &[T], shift: u32) -> i32 {
    let level = |sample: T| (sample.value() >> shift) as i16;
    let rows = above.iter().zip(middle).zip(below);
    // A row of a block cannot overflow: 32 samples of at most 1020.
    i32::from(rows.map(|((&a, &b), &c)| (level(a) - 2 * level(b) + level(c)).abs()).sum::<i16>())
}
