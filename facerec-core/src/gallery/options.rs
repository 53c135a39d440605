//! How a gallery is opened.

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
}

impl Default for GalleryOptions {
    fn default() -> Self {
        Self { read_only: false, create: true, salvage: false }
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
}
