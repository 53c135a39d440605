//! What comes in: bodies within limits of size and time, and parameters.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Uri, header};
use bytes::{Bytes, BytesMut};
use facerec_core::text;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::Gateway;
use crate::error::{Error, Result};

/// The largest JSON body: names, ids, lists of tracks.
const JSON_BYTES: u64 = 64 << 10;

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Gateway> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, gateway: &Gateway) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            return Err(Error::Invalid(format!("expected content-type application/json, got `{}`", kind.escape_default())));
        }
        let bytes = read(&parts.headers, body, "the JSON body", JSON_BYTES, gateway.app.config.patience()).await?;
        if bytes.windows(6).any(|six| six == b"\\u0000") {
            return Err(Error::Invalid("expected a JSON body without the character NUL".into()));
        }
        let value = serde_json::from_slice(&bytes).map_err(|error| Error::Invalid(format!("the JSON body does not fit: {error}")))?;
        Ok(Self(value))
    }
}

/// A whole body of at most `limit` bytes that must have come in `patience`. What the header announces is believed only to
/// refuse at once: memory is taken for what really comes.
///
/// # Errors
/// `too_large`, `too_slow`, `invalid_argument` when the connection breaks.
pub async fn read(headers: &HeaderMap, body: Body, what: &'static str, limit: u64, patience: Duration) -> Result<Bytes> {
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()).and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Error::TooLarge { what, limit });
    }
    let whole = async {
        let (mut bytes, mut pieces) = (BytesMut::new(), body.into_data_stream());
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| Error::Invalid(format!("the body broke off: {error}")))?;
            if (bytes.len() + piece.len()) as u64 > limit {
                return Err(Error::TooLarge { what, limit });
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    };
    tokio::time::timeout(patience, whole).await.map_err(|_| Error::TooSlow)?
}

/// The query parameters.
///
/// # Errors
/// `invalid_argument`.
pub fn params<T: DeserializeOwned>(uri: &Uri) -> Result<T> {
    let parsed = axum::extract::Query::<T>::try_from_uri(uri);
    parsed.map(|query| query.0).map_err(|error| Error::Invalid(format!("the query parameters do not fit: {}", error.body_text())))
}

/// A page of a list.
#[derive(Debug, serde::Deserialize)]
pub struct Page {
    limit: Option<String>,
    /// Where the last page ended.
    pub cursor: Option<String>,
}

impl Page {
    /// How many: 1 to 200, by default 50.
    ///
    /// # Errors
    /// `invalid_argument`.
    pub fn limit(&self) -> Result<i64> {
        let limit = self.limit.as_deref().map_or(Ok(50), str::parse).ok().filter(|limit| (1..=200).contains(limit));
        limit.ok_or_else(|| Error::Invalid("`limit`: expected 1 to 200".into()))
    }

    /// The cursor as the pair `NUMBER.ID` that it is in lists by time; the end of time without one.
    ///
    /// # Errors
    /// `invalid_argument`.
    pub fn before(&self) -> Result<(i64, String)> {
        let Some(cursor) = &self.cursor else { return Ok((i64::MAX, String::new())) };
        let parsed = cursor.split_once('.').and_then(|(number, id)| Some((number.parse().ok()?, id.to_owned())));
        parsed.filter(|(_, id)| id.bytes().all(|b| b.is_ascii_alphanumeric())).ok_or_else(bad_cursor)
    }

    /// The cursor as the number that it is in lists by number; `start` without one.
    ///
    /// # Errors
    /// `invalid_argument`.
    pub fn number(&self, start: i64) -> Result<i64> {
        self.cursor.as_deref().map_or(Ok(start), |cursor| cursor.parse().map_err(|_| bad_cursor()))
    }
}

/// A cursor that no answer gave.
pub fn bad_cursor() -> Error {
    Error::Invalid("`cursor`: expected the `next` of an earlier answer".into())
}

/// The idempotency key of a request.
///
/// # Errors
/// `invalid_argument` for one that is empty, long or not plain text.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=200).contains(&key.len()));
    key.map(Some).ok_or_else(|| Error::Invalid("`Idempotency-Key`: expected 1 to 200 plain characters".into()))
}

/// A person's name as the gallery spells it.
///
/// # Errors
/// `invalid_argument`.
pub fn person_name(name: &str) -> Result<String> {
    text::person_name(name).map(Cow::into_owned).map_err(|error| Error::Invalid(error.to_string()))
}

/// A file's name for people to read, without folders, control characters and what turns text around. No file is ever called so.
pub fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|&c| !text::is_unsafe(c)).take(200).collect();
    if clean.trim_matches(['.', ' ']).is_empty() { "unnamed".into() } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_lose_their_folders() {
        for (given, kept) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\x\\y.jpg", "y.jpg"),
            ("..", "unnamed"),
            ("", "unnamed"),
            ("a\u{0}\nb.png", "ab.png"),
            ("a\u{202e}gpj.exe", "agpj.exe"),
        ] {
            assert_eq!(file_name(given), kept);
        }
        assert!(person_name("  Ana ").is_ok_and(|name| name == "Ana"));
        assert!(person_name("Andre\u{301}").is_ok_and(|name| name == "Andr\u{e9}"));
        assert!(["", " ", "\u{200b}", "Jos\u{fffd}", "a\nb", "a\u{0}b", &"x".repeat(201)].iter().all(|name| person_name(name).is_err()));
    }
}
