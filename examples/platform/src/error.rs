//! The one error type of the platform, with the code and the HTTP status of each.

use std::io::ErrorKind;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

tokio::task_local! {
    /// The id of the request that this task answers, for its error body and its log lines.
    pub static REQUEST_ID: String;
}

/// Everything that can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No key, or one that is not known.
    #[error("expected a valid key in `Authorization: Bearer KEY`, or a valid `ticket`")]
    Unauthorized,
    /// The key may not do this.
    #[error("this needs a key with scope `{0}`")]
    Forbidden(&'static str),
    /// Nothing of that id.
    #[error("not found: {0}")]
    NotFound(String),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// The body is larger than allowed.
    #[error("{what} is too large: at most {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Too many requests.
    #[error("too many requests; try again in {0} s")]
    RateLimited(u64),
    /// The body came too slowly.
    #[error("the body came too slowly; send it again")]
    TooSlow,
    /// An argument is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The engine's error.
    #[error(transparent)]
    Core(#[from] facerec_core::Error),
    /// The database's error.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// A file's error.
    #[error("file: {0}")]
    Io(#[from] std::io::Error),
    /// A service that is needed does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// The configuration cannot be used.
    #[error("configuration: {0}")]
    Config(String),
    /// A defect of the platform.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::Conflict(_) => "conflict",
            Self::TooLarge { .. } => "too_large",
            Self::RateLimited(_) => "rate_limited",
            Self::TooSlow => "too_slow",
            Self::Invalid(_) => "invalid_argument",
            Self::Core(error) => error.kind().code(),
            Self::Database(_) => "database",
            Self::Io(_) => "io",
            Self::Unavailable(_) => "unavailable",
            Self::Config(_) => "config",
            Self::Internal(_) => "internal",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Core(error) => match error.kind().code() {
                "person_not_found" => StatusCode::NOT_FOUND,
                "decode_image" | "unsupported_format" | "limit_exceeded" | "decode_video" => StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_argument" => StatusCode::BAD_REQUEST,
                "gallery_locked" | "source_lost" => StatusCode::SERVICE_UNAVAILABLE,
                "io" if self.is_outage() => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Database(_) if self.is_outage() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Database(_) | Self::Io(_) | Self::Config(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether a server that is needed is away or has no room: the fault is neither the input's nor ours, and ends by itself or
    /// when somebody looks after the server. A server that answers and refuses is not away.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Database(error) => match error {
                sqlx::Error::Io(source) => is_away(source.kind()),
                sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
                // 57: the server shuts down or comes up; 08: the connection broke; 53: it has no room.
                sqlx::Error::Database(error) => {
                    error.code().is_some_and(|code| ["57", "08", "53"].iter().any(|class| code.starts_with(class)))
                }
                _ => false,
            },
            // The gallery's server.
            Self::Core(facerec_core::Error::Io { path, source, .. }) if path.to_str().is_some_and(|path| path.starts_with("postgres")) => {
                is_away(source.kind())
            }
            // A service that detects and embeds.
            Self::Core(facerec_core::Error::Io { source, .. }) => source.kind() == ErrorKind::ConnectionRefused,
            _ => false,
        }
    }

    /// What callers are told. What went wrong inside is for the log: it may hold addresses and paths.
    pub fn public(&self) -> String {
        match self.status() {
            StatusCode::INTERNAL_SERVER_ERROR => "something went wrong inside; the log has the details".into(),
            StatusCode::SERVICE_UNAVAILABLE if !matches!(self, Self::Unavailable(_)) => {
                "a server that is needed does not answer; try again".into()
            }
            _ => self.to_string(),
        }
    }

    /// Whether another try may help: the fault is not the input's.
    pub fn is_transient(&self) -> bool {
        self.status().is_server_error()
    }
}

/// Whether a server that gave such an error is away. Not so when it answered with a refusal, or with something that is not known to end;
/// a name that cannot be looked up has a kind that cannot be written down, and counts as away.
fn is_away(kind: ErrorKind) -> bool {
    let refused = [
        ErrorKind::AlreadyExists,
        ErrorKind::InvalidData,
        ErrorKind::InvalidInput,
        ErrorKind::NotFound,
        ErrorKind::Other,
        ErrorKind::PermissionDenied,
        ErrorKind::Unsupported,
    ];
    !refused.contains(&kind)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = (self.status(), self.code());
        let request_id = REQUEST_ID.try_with(Clone::clone).unwrap_or_default();
        match status {
            StatusCode::INTERNAL_SERVER_ERROR => tracing::error!(%request_id, error = %self, "request failed"),
            StatusCode::SERVICE_UNAVAILABLE => tracing::warn!(%request_id, error = %self, "a server is away"),
            _ => {}
        }
        let body = json!({"error": {"code": code, "message": self.public(), "request_id": request_id}});
        let mut response = (status, axum::Json(body)).into_response();
        if let Self::RateLimited(seconds) = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self, Self::Unauthorized) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_refuses_is_not_away() {
        let gallery = |kind: ErrorKind| {
            let (path, source) = ("postgres://facerec@db/people".into(), std::io::Error::new(kind, "as the server said"));
            Error::Core(facerec_core::Error::Io { action: "write", path, source })
        };
        for kind in [ErrorKind::ConnectionRefused, ErrorKind::ConnectionAborted, ErrorKind::TimedOut, ErrorKind::StorageFull] {
            assert!(gallery(kind).is_outage(), "{kind}");
        }
        for kind in [ErrorKind::PermissionDenied, ErrorKind::NotFound, ErrorKind::Other] {
            assert!(!gallery(kind).is_outage() && gallery(kind).is_transient(), "{kind}");
        }
        let folder = facerec_core::Error::Io { action: "write", path: "/data/gallery".into(), source: ErrorKind::StorageFull.into() };
        assert!(!Error::Core(folder).is_outage(), "a folder is no server");
    }
}
