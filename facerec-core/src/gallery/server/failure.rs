//! What PostgreSQL's errors mean here, and which of them are worth another try.

use std::error::Error as _;
use std::io::ErrorKind;
use std::path::Path;

use tokio_postgres::error::SqlState;

use crate::error::Error;

/// Why a step failed, and whether the whole of it may be tried again.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) retry: Retry,
    /// PostgreSQL's code for it, if it was the server that said no.
    pub(super) code: Option<SqlState>,
}

/// Whether another try may help. Everything before the commit is undone by the server, whatever happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    /// The connection is gone.
    Lost,
    /// The server says nothing. Another try would wait as long.
    Silent,
    /// Two transactions were in each other's way, and the server undid this one.
    Collision,
}

impl Retry {
    /// Whether another try may help.
    pub(super) fn may_help(self) -> bool {
        matches!(self, Self::Lost | Self::Collision)
    }

    /// Whether the connection is of no use any more, and what was asked last may have been done.
    pub(super) fn is_lost(self) -> bool {
        matches!(self, Self::Lost | Self::Silent)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, retry: Retry::Never, code: None }
    }
}

impl Failure {
    /// The caller should start over: what it had read changed before it could be locked.
    pub(super) fn collision(place: &Path) -> Self {
        let source = std::io::Error::new(ErrorKind::WouldBlock, "others change the same person all the time; try again");
        Self { error: Error::io("write", place, source), retry: Retry::Collision, code: None }
    }

    /// No answer came in time.
    pub(super) fn silent(place: &Path, action: &'static str, text: String) -> Self {
        Self { error: Error::io(action, place, std::io::Error::new(ErrorKind::TimedOut, text)), retry: Retry::Silent, code: None }
    }

    /// No connection came about: why, in words for those who have to do something about it.
    pub(super) fn connecting(place: &Path, source: &tokio_postgres::Error) -> Self {
        let failure = Self::new(place, "connect to", source);
        let Error::Io { source: cause, .. } = &failure.error else { return failure };
        let kind = cause.kind();
        let hint = match kind {
            ErrorKind::ConnectionRefused => "nobody listens there: is the server started, and is the port right?",
            ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                "the host is not reached: is it on, and does a firewall stand between?"
            }
            // `target_session_attrs` asks for one that takes changes. A failover ends this by itself.
            ErrorKind::PermissionDenied if failure.code.is_none() => "it follows another server, which is away or not in the address",
            _ => return failure,
        };
        let kind = if kind == ErrorKind::PermissionDenied { ErrorKind::ConnectionAborted } else { kind };
        let error = Error::io("connect to", place, std::io::Error::new(kind, format!("{cause}; {hint}")));
        // Who has not answered in all that time is not asked again at once.
        let retry = if kind == ErrorKind::TimedOut { Retry::Silent } else { failure.retry };
        Self { error, retry, code: failure.code }
    }

    /// `place` is the address without its password. A server's message never holds one; its detail may hold names, and is left out.
    pub(super) fn new(place: &Path, action: &'static str, source: &tokio_postgres::Error) -> Self {
        let io = |kind, text: String| Error::io(action, place, std::io::Error::new(kind, text));
        let Some(said) = source.as_db_error() else {
            let cause = source.source();
            let lost = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
            let text = cause.map_or_else(|| source.to_string(), |cause| format!("{source}: {cause}"));
            let error = match lost {
                Some(cause) => io(cause.kind(), text),
                None if source.is_closed() => io(ErrorKind::ConnectionAborted, text),
                None => io(ErrorKind::Other, text),
            };
            let retry = if lost.is_some() || source.is_closed() { Retry::Lost } else { Retry::Never };
            return Self { error, retry, code: None };
        };
        let code = said.code().clone();
        let text = format!("{} ({})", said.message(), code.code());
        let retry = match code {
            SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => Retry::Lost,
            // PgBouncer's word for a server that is away, too.
            ref code if code.code().starts_with("08") => Retry::Lost,
            SqlState::T_R_DEADLOCK_DETECTED | SqlState::T_R_SERIALIZATION_FAILURE => Retry::Collision,
            _ => Retry::Never,
        };
        let error = match code {
            // By the kind too, a caller sees that this ends by itself.
            _ if retry == Retry::Lost => io(ErrorKind::ConnectionAborted, text),
            SqlState::QUERY_CANCELED => io(ErrorKind::TimedOut, format!("{text}; `timeout_s` in the address allows more")),
            SqlState::LOCK_NOT_AVAILABLE => {
                Error::GalleryLocked { path: place.into(), holder: format!("another change on the server: {text}") }
            }
            SqlState::DISK_FULL => io(ErrorKind::StorageFull, format!("{text}; nothing was changed")),
            SqlState::OUT_OF_MEMORY => io(ErrorKind::OutOfMemory, text),
            SqlState::INSUFFICIENT_PRIVILEGE => io(
                ErrorKind::PermissionDenied,
                format!("{text}; whoever owns it grants the right (docs/galleries.md lists what is needed)"),
            ),
            SqlState::READ_ONLY_SQL_TRANSACTION => io(ErrorKind::PermissionDenied, text),
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => io(ErrorKind::PermissionDenied, text),
            SqlState::INVALID_CATALOG_NAME => io(ErrorKind::NotFound, text),
            SqlState::TOO_MANY_CONNECTIONS => io(ErrorKind::ResourceBusy, format!("{text}; `pool` in the address asks for fewer")),
            SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED | SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN => {
                Error::GalleryCorrupt { path: place.into(), reason: format!("{text}; restore a backup of the database") }
            }
            _ => io(ErrorKind::Other, text),
        };
        Self { error, retry, code: Some(code) }
    }
}
