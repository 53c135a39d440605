//! How a gallery is opened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::IndexKind;
use super::key::GalleryKey;

/// How to open a gallery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GalleryOptions {
    /// Never write and take no lock.
    pub read_only: bool,
    /// Create the gallery when there is none.
    pub create: bool,
    /// Open in spite of damaged rows.
    pub salvage: bool,
    /// How it is searched.
    pub index: IndexKind,
    pub(super) progress: Option<Progress>,
    /// What opens an encrypted gallery, or encrypts a new one.
    pub key: Option<GalleryKey>,
    /// Who makes the changes, for the audit log.
    pub actor: Option<String>,
    /// How long to wait for another writer.
    pub wait: Duration,
    pub(super) cancelled: Option<Cancelled>,
}

/// Whom to ask whether a wait is to be given up.
#[derive(Clone)]
pub(super) struct Cancelled(Arc<dyn Fn() -> bool + Send + Sync>);

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancelled")
    }
}

impl PartialEq for Cancelled {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Cancelled {}

/// Whom to tell how far the reading of a gallery is.
#[derive(Clone)]
pub(super) struct Progress(Arc<dyn Fn(usize, usize) + Send + Sync>);

impl Progress {
    pub(super) fn report(&self, done: usize, total: usize) {
        (self.0)(done, total);
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

impl PartialEq for Progress {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Progress {}

impl Default for GalleryOptions {
    fn default() -> Self {
        Self {
            read_only: false,
            create: true,
            salvage: false,
            index: IndexKind::Auto,
            progress: None,
            key: None,
            actor: None,
            wait: Duration::from_secs(30),
            cancelled: None,
        }
    }
}

impl GalleryOptions {
    /// Only read: takes no lock, works in a folder that cannot be written, and sees the changes of a writer at its next
    /// search. Default `false`.
    #[must_use]
    pub fn read_only(mut self, yes: bool) -> Self {
        self.read_only = yes;
        self
    }

    /// Create the folder and the gallery when there is none. Default `true`; it has no meaning when only reading.
    #[must_use]
    pub fn create(mut self, yes: bool) -> Self {
        self.create = yes;
        self
    }

    /// Open although rows are damaged: they are left out of searches and exports, and listed by
    /// [`verify`](super::Gallery::verify). Default `false`: a damaged gallery is `gallery_corrupt`, rather than one that quietly
    /// does not know somebody.
    #[must_use]
    pub fn salvage(mut self, yes: bool) -> Self {
        self.salvage = yes;
        self
    }

    /// How it is searched, default [`IndexKind::Auto`]. Kinds other than `Flat` are built in the background, with exact search
    /// meanwhile; [`compact`](super::Gallery::compact) builds and saves them before it returns.
    #[must_use]
    pub fn index(mut self, kind: IndexKind) -> Self {
        self.index = kind;
        self
    }

    /// Whom to tell, while a gallery without a fitting saved index is opened, how many faces were read and how many there are. It is
    /// called on the opening thread, every few thousand faces.
    #[must_use]
    pub fn progress(mut self, report: impl Fn(usize, usize) + Send + Sync + 'static) -> Self {
        self.progress = Some(Progress(Arc::new(report)));
        self
    }

    /// Opens an encrypted gallery; a gallery that is created is encrypted with it. Default none: a plain gallery. A missing or
    /// wrong key, and a key for a plain gallery, are `wrong_key`. [`set_key`](super::Gallery::set_key) encrypts a plain gallery.
    #[must_use]
    pub fn key(mut self, key: GalleryKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Who makes the changes, as the [audit log](super::Gallery::audit) shall say: 1 to 200 characters. Default: the name of
    /// the operating system's user, or `unknown`.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    /// How long to wait for another writer, default 30 s; then it is `gallery_locked`. Writers of a folder take turns: one has it open at
    /// a time, in this process or another one. 0 does not wait. Too short, and work that would have been done in a moment fails; too
    /// long, and a program that never closes its gallery is noticed late. On a server it is how long a change waits for another one to
    /// the same person, in whole milliseconds from 1 on and at most the address's `timeout_s`. Reading waits for nobody.
    #[must_use]
    pub fn wait(mut self, time: Duration) -> Self {
        self.wait = time;
        self
    }

    /// Asked about forty times a second while opening a folder waits for another writer: from `true` on it ends with `cancelled`.
    /// Default never.
    #[must_use]
    pub fn cancelled(mut self, asked: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.cancelled = Some(Cancelled(Arc::new(asked)));
        self
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.as_ref().is_some_and(|asked| (asked.0)())
    }
}
