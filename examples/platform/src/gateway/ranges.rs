//! Answers with a part of something large, so that players can jump. Only what is asked for is read.

use std::ops::Range;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::blobs::Reading;

/// The part that the request asks for, or all of it.
pub(super) fn answer(reading: Box<dyn Reading>, headers: &HeaderMap, media_type: &'static str) -> Response {
    let size = reading.size();
    let (status, part) = match wanted(headers, size) {
        Wanted::Everything => (StatusCode::OK, 0..size),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Nothing => {
            return (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, format!("bytes */{size}"))]).into_response();
        }
    };
    let mut answer = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, media_type)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_LENGTH, part.end - part.start);
    if status == StatusCode::PARTIAL_CONTENT {
        answer = answer.header(header::CONTENT_RANGE, format!("bytes {}-{}/{size}", part.start, part.end - 1));
    }
    let pieces = futures_util::stream::try_unfold((reading, part), |(mut reading, part)| async move {
        if part.is_empty() {
            return Ok(None);
        }
        let mut piece = reading.read(part.start).await.inspect_err(|error| tracing::warn!(%error, "a video breaks off"))?;
        piece.truncate(usize::try_from(part.end - part.start).unwrap_or(usize::MAX));
        let rest = part.start + piece.len() as u64..part.end;
        Ok::<_, crate::error::Error>(Some((piece, (reading, rest))))
    });
    answer.body(Body::from_stream(pieces)).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Everything,
    Part(Range<u64>),
    Nothing,
}

/// Several parts at once, and whatever is not understood, are answered with everything, as HTTP allows.
fn wanted(headers: &HeaderMap, size: u64) -> Wanted {
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok()).and_then(|range| range.strip_prefix("bytes="));
    // We give no marks by which a caller could know that it is still the same.
    let Some(range) = range.filter(|_| !headers.contains_key(header::IF_RANGE)) else { return Wanted::Everything };
    let Some((first, last)) = range.trim().split_once('-') else { return Wanted::Everything };
    let part = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(last)) if first.is_empty() => size.saturating_sub(last)..size,
        _ => return Wanted::Everything,
    };
    if part.is_empty() { Wanted::Nothing } else { Wanted::Part(part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_understood() {
        let ask = |range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().unwrap());
            wanted(&headers, 100)
        };
        assert_eq!(ask("bytes=10-19"), Wanted::Part(10..20));
        assert_eq!(ask("bytes=90-"), Wanted::Part(90..100));
        assert_eq!(ask("bytes=0-999"), Wanted::Part(0..100));
        assert_eq!(ask("bytes=-30"), Wanted::Part(70..100));
        assert_eq!(ask("bytes=-300"), Wanted::Part(0..100));
        for nothing in ["bytes=100-", "bytes=200-300", "bytes=-0"] {
            assert_eq!(ask(nothing), Wanted::Nothing, "{nothing}");
        }
        for odd in ["bytes=1-2,4-5", "bytes=9-3", "bytes=a-b", "bytes=-", "pages=1-2", "bytes=18446744073709551616-"] {
            assert_eq!(ask(odd), Wanted::Everything, "{odd}");
        }
        assert_eq!(wanted(&HeaderMap::new(), 0), Wanted::Everything);
    }
}
