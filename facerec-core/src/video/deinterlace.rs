//! The first field of an interlaced frame as a whole picture.
//!
//! As FFmpeg's `yadif` does it (Michael Niedermayer), without its look at the frame after, which would hold every frame back: rows
//! of the second field are kept where nothing moves, and interpolated along edges where something does. Done when somebody looks
//! at the frame: most frames of a video are not looked at.

use super::ffmpeg::ffi;
use super::ffmpeg::util::frame::Video as AvFrame;
use super::interlacing::Fields;
use super::planes::{Sample, Samples, row, row_bytes};

/// The frame at the time of its first field; `None` for pixel formats that cannot be taken apart.
pub(super) fn deinterlaced(frame: &AvFrame, fields: &Fields) -> Option<AvFrame> {
    let samples = Samples::of(frame.format())?;
    let bytes = row_bytes(frame)?;
    let previous = fields.previous.as_deref().filter(|previous| row_bytes(previous).is_some_and(|of_previous| of_previous == bytes));
    let mut whole = frame.clone();
    for (plane, &bytes) in bytes.iter().enumerate() {
        let source = |frame| Source::new(frame, plane, bytes);
        let rows = Rows { now: source(frame), then: previous.map(source), edges: plane == 0 && is_planar(frame) };
        let (stride, missing) = (whole.stride(plane), usize::from(fields.top_first));
        match samples {
            Samples::Bytes => rows.fill::<u8>(whole.data_mut(plane), stride, missing)?,
            Samples::Words(_) => rows.fill::<u16>(whole.data_mut(plane), stride, missing)?,
        }
    }
    Some(whole)
}

/// Whether samples that follow each other in the first plane are of one kind.
fn is_planar(frame: &AvFrame) -> bool {
    // SAFETY: descriptions are FFmpeg's own static table; one that is missing is null.
    #[allow(unsafe_code)]
    let description = unsafe { ffi::av_pix_fmt_desc_get(frame.format().into()).as_ref() };
    description.is_some_and(|description| {
        let components = description.comp.iter().take(usize::from(description.nb_components));
        components.filter(|component| component.plane == 0).count() == 1
    })
}

/// A plane that is read.
#[derive(Clone, Copy)]
struct Source<'a> {
    data: &'a [u8],
    stride: usize,
    bytes: usize,
    height: usize,
}

impl<'a> Source<'a> {
    fn new(frame: &'a AvFrame, plane: usize, bytes: usize) -> Self {
        Self { data: frame.data(plane), stride: frame.stride(plane), bytes, height: frame.plane_height(plane) as usize }
    }

    /// Row `y`, or the nearest of its field where there is none.
    fn row<T: Sample>(self, y: isize) -> Option<&'a [T]> {
        let inside = match y {
            ..0 => y + 2,
            y if y >= self.height as isize => y - 2,
            y => y,
        };
        row(self.data, self.stride, usize::try_from(inside).ok()?, self.bytes)
    }

    /// Row `y` and two rows to either side.
    fn around<T: Sample>(self, y: isize) -> Option<[&'a [T]; 5]> {
        Some([self.row(y - 2)?, self.row(y - 1)?, self.row(y)?, self.row(y + 1)?, self.row(y + 2)?])
    }
}

/// A plane of the frame and of the one before.
struct Rows<'a> {
    now: Source<'a>,
    then: Option<Source<'a>>,
    /// Whether to look for edges, which takes samples beside each other that are pixels beside each other.
    edges: bool,
}

impl Rows<'_> {
    /// Writes the rows of the second field: row `missing` and every second one after it.
    fn fill<T: Sample>(&self, out: &mut [u8], stride: usize, missing: usize) -> Option<()> {
        let height = self.now.height;
        if height < 4 {
            return Some(());
        }
        for y in (missing..height).step_by(2) {
            let line = bytemuck::try_cast_slice_mut(out.get_mut(y * stride..y * stride + self.now.bytes)?).ok()?;
            let y = y as isize;
            let (above, below) = (self.now.row::<T>(y - 1)?, self.now.row::<T>(y + 1)?);
            interpolate(line, above, below, self.edges);
            if let Some(then) = self.then {
                limit(line, self.now.around(y)?, then.around(y)?);
            }
        }
        Some(())
    }
}

/// A row from those above and below it, along the edge that runs through each place.
fn interpolate<T: Sample>(line: &mut [T], above: &[T], below: &[T], edges: bool) {
    for ((out, above), below) in line.iter_mut().zip(above).zip(below) {
        *out = T::from_value((above.value() + below.value()) >> 1);
    }
    if !edges {
        return;
    }
    // Three pixels to either side are looked at.
    for ((out, above), below) in line.iter_mut().skip(3).zip(above.windows(7)).zip(below.windows(7)) {
        let unlike = |by: usize| -> i32 { (0..3).map(|x| (above[by + x].value() - below[4 - by + x].value()).abs()).sum() };
        // `by` is 2 straight down, 1 and 0 to one side, 3 and 4 to the other.
        let mut least = unlike(2).wrapping_sub(1);
        for side in [[1, 0], [3, 4]] {
            for by in side {
                let score = unlike(by);
                if score >= least {
                    break;
                }
                least = score;
                *out = T::from_value((above[1 + by].value() + below[5 - by].value()) >> 1);
            }
        }
    }
}

/// Keeps what was interpolated as close to the second field's own pixels as those stand still. Rows are two above, above, at,
/// below, two below the place.
fn limit<T: Sample>(line: &mut [T], now: [&[T]; 5], then: [&[T]; 5]) {
    for (x, out) in line.iter_mut().enumerate() {
        let at = |rows: [&[T]; 5], row: usize| rows[row][x].value();
        let mean = |row: usize| (at(now, row) + at(then, row)) >> 1;
        let moved = |row: usize| (at(now, row) - at(then, row)).abs();
        let (above, below, still) = (at(now, 1), at(now, 3), mean(2));
        let motion = (moved(2) >> 1).max((moved(1) + moved(3)) >> 1);
        // Where the second field's rows would stand out as a comb, they are free to differ.
        let (over, under) = (mean(0) - above, mean(4) - below);
        let most = (still - below).max(still - above).max(over.min(under));
        let least = (still - below).min(still - above).min(over.max(under));
        let freedom = motion.max(least).max(-most);
        *out = T::from_value(out.value().clamp(still - freedom, still + freedom));
    }
}
