//! The way to a live source, and why it was not found, in words for those who have to do something about it.

use std::ffi::CString;
use std::net::ToSocketAddrs;
use std::path::Path;
use std::time::Duration;

use super::super::ffmpeg::error::{ECONNREFUSED, ENOMEM};
use super::super::ffmpeg::format::context::Input;
use super::super::ffmpeg::util::interrupt;
use super::super::ffmpeg::{Dictionary, Error as AvError, Packet, broken, device, failed, ffi, format, media};
use super::super::input::{Sort, is_broadcast};
use super::LiveOptions;
use super::line::{Line, Stage};
use crate::error::{Error, Result};
use crate::text::address_text;

/// A live source is looked into for no longer before its first frame, in microseconds of its time.
const ANALYSE: i64 = 1_000_000;

/// Connects to `address`, unless `line` loses patience.
pub(super) fn connect(address: &str, options: &LiveOptions, line: &Line) -> Result<Input> {
    let mut settings = Dictionary::new();
    if is_rtsp(address) {
        settings.set("rtsp_transport", "tcp"); // UDP loses packets, and faces with them
    }
    for (name, value) in &options.options {
        settings.set(name, value);
    }
    if address.starts_with("/dev/") {
        return webcam(address, settings);
    }
    open(address, settings, line).map_err(|error| refused(address, &error, line, options.timeout))
}

fn webcam(address: &str, settings: Dictionary<'_>) -> Result<Input> {
    let webcam = device::input::video().find(|format| ["v4l2", "video4linux2"].iter().any(|name| format.name().contains(name)));
    let Some(webcam) = webcam else {
        return Err(Error::UnsupportedFormat { reason: "this FFmpeg has no Video4Linux input for webcams".into() });
    };
    let opened = format::open_with(address, &webcam, settings).map(format::context::Context::input);
    opened.map_err(|error| failed(format!("`{address}` cannot be opened as a live source"), &error))
}

fn is_rtsp(address: &str) -> bool {
    address.starts_with("rtsp://") || address.starts_with("rtsps://")
}

/// Opens an input in two steps, to know at which one it stops, and to set up the second by the first.
fn open(address: &str, settings: Dictionary<'_>, line: &Line) -> Result<Input, AvError> {
    let path = CString::new(address).map_err(|_| AvError::InvalidData)?;
    let (impatient, asked) = (line.clone(), settings.get("analyzeduration").is_some());
    // SAFETY: the context is FFmpeg's own; a failed `avformat_open_input` frees it, and from then on `Input` does. The callback lives as
    // long as its guard, which `Input` keeps; where there is no `Input`, the context is gone before the guard is. Fields are plain numbers.
    #[allow(unsafe_code)]
    unsafe {
        let mut context = ffi::avformat_alloc_context();
        if context.is_null() {
            return Err(AvError::Other { errno: ENOMEM });
        }
        let interrupt = interrupt::new(Box::new(move || impatient.is_impatient()));
        (*context).interrupt_callback = interrupt.interrupt;
        let mut options = settings.disown();
        let opened = ffi::avformat_open_input(&raw mut context, path.as_ptr(), std::ptr::null_mut(), &raw mut options);
        Dictionary::own(options);
        if opened < 0 {
            return Err(AvError::from(opened));
        }
        let input = Input::wrap_with_interrupt(context, interrupt.guard);
        line.reach(Stage::Receiving);
        if Sort::of(&input, false) != Sort::Recording {
            // What is read to know more is looked at late, and a camera's description is short.
            (*context).max_analyze_duration = if asked { (*context).max_analyze_duration } else { ANALYSE };
            (*context).fps_probe_size = 0;
        }
        let described = ffi::avformat_find_stream_info(context, std::ptr::null_mut());
        if described < 0 { Err(AvError::from(described)) } else { Ok(await_video(input, line)) }
    }
}

/// Reads on until there is a video among the streams, which a broadcast may add at any time. A container with a header has what it has.
fn await_video(mut input: Input, line: &Line) -> Input {
    let recorded = Sort::of(&input, false) == Sort::Recording;
    while !recorded && is_broadcast(&input) && !line.is_impatient() && input.streams().best(media::Type::Video).is_none() {
        if Packet::empty().read(&mut input).is_err() {
            break;
        }
    }
    input
}

/// Why there is no connection.
fn refused(address: &str, error: &AvError, line: &Line, timeout: Duration) -> Error {
    let shown = address_text(Path::new(address));
    if line.is_impatient() || *error == AvError::Exit {
        return silent(address, line.stage(), timeout);
    }
    let host = host_of(address).filter(|_| matches!(error, AvError::Other { .. }) && line.stage() == Stage::Reaching);
    if let Some((host, port)) = host {
        if (host, port).to_socket_addrs().is_err() {
            return failed(
                format!("no address is known for the host of `{shown}`: is the name `{host}` right, and the network up?"),
                error,
            );
        }
        if matches!(error, AvError::Other { errno: ECONNREFUSED }) {
            return failed(format!("the host of `{shown}` is there, but nothing listens on port {port}: is the camera on?"), error);
        }
    }
    if *error == AvError::InvalidData {
        return failed(format!("`{shown}` answers, but with nothing that is a video: are port and path right?"), error);
    }
    failed(format!("`{shown}` cannot be opened as a live source"), error)
}

/// Nothing came in time.
pub(super) fn silent(address: &str, stage: Stage, timeout: Duration) -> Error {
    let shown = address_text(Path::new(address));
    let longer = "(`timeout`, `--timeout SECONDS`, waits longer)";
    broken(match stage {
        Stage::Reaching => {
            format!("`{shown}` did not answer within {timeout:?}: is the camera on, and are host, port and path right? {longer}")
        }
        Stage::Receiving => {
            format!("`{shown}` answers, but no picture came within {timeout:?}: it may have sound only, or start slowly {longer}")
        }
    })
}

/// The host and port that an address names.
fn host_of(address: &str) -> Option<(&str, u16)> {
    let (scheme, rest) = address.split_once("://")?;
    let place = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    let usual = match scheme {
        "rtsp" => 554,
        "rtsps" => 322,
        "https" => 443,
        "rtmp" => 1935,
        _ => 80,
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()?),
        _ => (place, usual),
    };
    Some((host.trim_matches(['[', ']']), port)).filter(|(host, _)| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_addresses() {
        for (address, host) in [
            ("rtsp://cam:p%40w@door.example:8554/main?x=1", Some(("door.example", 8554))),
            ("rtsp://10.0.0.1/main", Some(("10.0.0.1", 554))),
            ("https://[::1]/live.m3u8", Some(("::1", 443))),
            ("http://[::1]:8080", Some(("::1", 8080))),
            ("udp://@:5000", None),
            ("file:///tmp/a.ts", None),
        ] {
            assert_eq!(host_of(address), host, "{address}");
        }
    }
}
