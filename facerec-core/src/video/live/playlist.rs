//! What a playlist (HLS, RFC 8216) says of itself and FFmpeg does not tell: how long its parts are, and whether it has ended. FFmpeg ends
//! alike when it has and when its server is gone, so it is read again.

use std::ffi::CString;
use std::time::Duration;

use super::super::ffmpeg::util::interrupt;
use super::super::ffmpeg::{Dictionary, ffi};
use super::LiveOptions;
use super::line::Line;

/// Longer than any playlist.
const MOST: usize = 4 << 20;

/// The playlist at `address`, or the first one that it names; `None` when it cannot be read.
pub(super) fn read(address: &str, options: &LiveOptions, line: &Line) -> Option<String> {
    let text = fetch(address, options, line)?;
    match first_variant(&text) {
        Some(name) => fetch(&resolve(address, name), options, line),
        None => Some(text),
    }
}

/// How long one of its parts is at most: frames come in bursts of so much, and nothing in between.
pub(super) fn longest_part(playlist: &str) -> Option<Duration> {
    let seconds = playlist.lines().find_map(|line| line.trim().strip_prefix("#EXT-X-TARGETDURATION:"))?;
    Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
}

/// Whether nothing follows.
pub(super) fn says_end(playlist: &str) -> bool {
    playlist.lines().any(|line| line.trim() == "#EXT-X-ENDLIST")
}

/// Of a playlist of playlists, the first one.
fn first_variant(playlist: &str) -> Option<&str> {
    let mut lines = playlist.lines().map(str::trim).skip_while(|line| !line.starts_with("#EXT-X-STREAM-INF"));
    lines.next()?;
    lines.find(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The address that `name` means in a playlist at `base`.
fn resolve(base: &str, name: &str) -> String {
    if name.contains("://") {
        return name.to_owned();
    }
    let path = &base[..base.find(['?', '#']).unwrap_or(base.len())];
    let host_end = path.find("://").map_or(0, |at| path[at + 3..].find('/').map_or(path.len(), |slash| at + 3 + slash));
    let folder = if name.starts_with('/') { host_end } else { path.rfind('/').map_or(path.len(), |slash| (slash + 1).max(host_end)) };
    let slash = if folder == path.len() && !path.ends_with('/') && !name.starts_with('/') { "/" } else { "" };
    format!("{}{slash}{name}", &path[..folder])
}

/// The text at `address`, by FFmpeg's protocols and with the caller's options for them; `None` when it cannot be read.
fn fetch(address: &str, options: &LiveOptions, line: &Line) -> Option<String> {
    let path = CString::new(address).ok()?;
    let mut settings = Dictionary::new();
    options.options.iter().for_each(|(name, value)| settings.set(name, value));
    let mut bytes = Vec::new();
    let impatient = line.clone();
    let interrupt = interrupt::new(Box::new(move || impatient.is_impatient()));
    // SAFETY: the context lives from `avio_open2` to `avio_closep`, and the callback longer, until its guard goes at the end. The buffer is
    // as long as stated. What `avio_open2` leaves of the options is given back to `Dictionary`.
    #[allow(unsafe_code)]
    unsafe {
        let mut context = std::ptr::null_mut();
        let mut options = settings.disown();
        let opened =
            ffi::avio_open2(&raw mut context, path.as_ptr(), ffi::AVIO_FLAG_READ, &raw const interrupt.interrupt, &raw mut options);
        Dictionary::own(options);
        if opened < 0 {
            return None;
        }
        let mut buffer = [0_u8; 1 << 14];
        while bytes.len() < MOST {
            let read = ffi::avio_read(context, buffer.as_mut_ptr(), 1 << 14);
            let Some(part) = usize::try_from(read).ok().filter(|&read| read > 0) else { break };
            bytes.extend_from_slice(&buffer[..part]);
        }
        ffi::avio_closep(&raw mut context);
    }
    drop(interrupt.guard);
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playlists_say_their_end_and_their_parts_and_name_each_other() {
        assert!(says_end("#EXTM3U\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\r\n") && !says_end("#EXTM3U\n#EXTINF:4,\n#EXT-X-ENDLIST.ts\n"));
        assert_eq!(longest_part("#EXTM3U\n#EXT-X-TARGETDURATION:10\r\n#EXTINF:4,\na.ts\n"), Some(Duration::from_secs(10)));
        assert_eq!(longest_part("#EXTM3U\n#EXT-X-TARGETDURATION:-1\n"), None);
        let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n\n#x\nlow/a.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nhigh/a.m3u8\n";
        assert_eq!((first_variant(master), first_variant("#EXTM3U\n#EXTINF:4,\na.ts")), (Some("low/a.m3u8"), None));
        for (base, name, meant) in [
            ("http://h:80/a/b.m3u8?token=x/y", "low/c.m3u8", "http://h:80/a/low/c.m3u8"),
            ("http://h/a/b.m3u8", "/c.m3u8", "http://h/c.m3u8"),
            ("http://h", "c.m3u8", "http://h/c.m3u8"),
            ("http://h/", "c.m3u8", "http://h/c.m3u8"),
            ("http://h", "/c.m3u8", "http://h/c.m3u8"),
            ("http://h/a", "https://i/c.m3u8", "https://i/c.m3u8"),
            ("file:///tmp/a.m3u8", "b.m3u8", "file:///tmp/b.m3u8"),
        ] {
            assert_eq!(resolve(base, name), meant, "{name} in {base}");
        }
    }
}
