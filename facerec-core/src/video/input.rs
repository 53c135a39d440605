//! What an opened input is: a recording or a live source, with times or without.

use super::ffmpeg::ffi;
use super::ffmpeg::format::context::Input;

/// What an input is, for whoever received it from somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// It states its length or its size.
    Recording,
    /// A list of parts, to which more are added until it says that nothing follows.
    Playlist,
    Stream,
}

/// Inputs that say where the video is: their size is not the video's.
const DESCRIPTIONS: [&str; 4] = ["hls", "dash", "sdp", "rtsp"];
/// Those that are lists.
const PLAYLISTS: [&str; 2] = ["hls", "dash"];
/// Where a sized input may end before its last byte: within a packet of a transport stream, or at padding.
const PADDING: i64 = 4096;

impl Sort {
    /// `stated` says whether it states its length.
    pub(super) fn of(input: &Input, stated: bool) -> Self {
        if stated || !is(input, &DESCRIPTIONS) && place(input).is_some() {
            Self::Recording
        } else if is_playlist(input) {
            Self::Playlist
        } else {
            Self::Stream
        }
    }
}

/// Whether its format has one of these names.
fn is(input: &Input, names: &[&str]) -> bool {
    input.format().name().split(',').any(|name| names.contains(&name))
}

/// Whether it is a list of parts, ended or not.
pub(super) fn is_playlist(input: &Input) -> bool {
    is(input, &PLAYLISTS)
}

/// Whether an input that states its size was read to its end.
pub(super) fn is_at_end(input: &Input) -> bool {
    place(input).is_some_and(|(at, size)| at + PADDING >= size)
}

/// Whether the container has no time stamps (MJPEG over HTTP, bare H.264): FFmpeg makes some up, 25 frames a second.
pub(super) fn is_untimed(input: &Input) -> bool {
    // SAFETY: the input is open, and so its format is there; the field is a plain number.
    #[allow(unsafe_code)]
    unsafe {
        (*(*input.as_ptr()).iformat).flags & ffi::AVFMT_NOTIMESTAMPS != 0
    }
}

/// Whether its times may start anywhere and its streams come and go, as those of a broadcast do.
pub(super) fn is_broadcast(input: &Input) -> bool {
    // SAFETY: as above.
    #[allow(unsafe_code)]
    unsafe {
        (*(*input.as_ptr()).iformat).flags & ffi::AVFMT_TS_DISCONT != 0
    }
}

/// How far an input is read, and how long it is, in bytes; `None` when it does not say.
fn place(input: &Input) -> Option<(i64, i64)> {
    // SAFETY: the input is open. Its reading context may be missing, and is else as live; asking for a place moves nothing.
    #[allow(unsafe_code)]
    unsafe {
        let reading = (*input.as_ptr()).pb;
        if reading.is_null() {
            return None;
        }
        let (size, at) = (ffi::avio_size(reading), ffi::avio_seek(reading, 0, ffi::SEEK_CUR));
        (size > 0 && at >= 0).then_some((at, size))
    }
}
