//! What was passed over, by reason.

use std::fmt;

/// Why a file or folder is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PassedOverReason {
    /// Systems and photo programs keep it for themselves: [`is_system_name`](super::is_system_name).
    SystemFile,
    /// Its name begins with a dot.
    Hidden,
    /// Neither its name nor its first bytes are a picture's (nor, where videos are looked for, a video's).
    NotAPicture,
    /// A camera's raw file; enrol the JPEG that was made of it.
    CameraRaw,
    /// A photo beside the people's folders instead of in one.
    NoPerson,
    /// A folder below a person's.
    NestedFolder,
    /// A person's folder without a photo.
    EmptyFolder,
    /// A link that leads nowhere, back into the folder, above it, or where another link has led already.
    Link,
    /// A pipe, socket or device.
    SpecialFile,
}

impl PassedOverReason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SystemFile,
        Self::Hidden,
        Self::NotAPicture,
        Self::CameraRaw,
        Self::NoPerson,
        Self::NestedFolder,
        Self::EmptyFolder,
        Self::Link,
        Self::SpecialFile,
    ];

    /// Its stable name in JSON: `system_file`, `hidden`, ...
    pub fn code(self) -> &'static str {
        self.texts().0
    }

    /// The code, and what people call several of them.
    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::SystemFile => ("system_file", "system files"),
            Self::Hidden => ("hidden", "hidden"),
            Self::NotAPicture => ("not_a_picture", "not pictures"),
            Self::CameraRaw => ("camera_raw", "camera raw files"),
            Self::NoPerson => ("no_person", "photos outside a person's folder"),
            Self::NestedFolder => ("nested_folder", "folders below a person's"),
            Self::EmptyFolder => ("empty_folder", "folders without a photo"),
            Self::Link => ("link", "links that lead nowhere new"),
            Self::SpecialFile => ("special_file", "pipes and devices"),
        }
    }
}

/// How many files and folders were passed over. A folder counts as one, whatever is in it.
///
/// Shown to people as `3 (system files 2, hidden 1)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PassedOver {
    /// In the order of [`PassedOverReason::ALL`].
    counts: [usize; PassedOverReason::ALL.len()],
}

impl PassedOver {
    /// How many for this reason.
    pub fn count(&self, reason: PassedOverReason) -> usize {
        self.counts[reason as usize]
    }

    /// How many in all.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    pub(super) fn add(&mut self, reason: PassedOverReason) {
        self.counts[reason as usize] += 1;
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.total())?;
        let some = PassedOverReason::ALL.into_iter().filter(|&reason| self.count(reason) > 0);
        for (nth, reason) in some.enumerate() {
            write!(f, "{}{} {}", if nth == 0 { " (" } else { ", " }, reason.texts().1, self.count(reason))?;
        }
        if self.total() > 0 { f.write_str(")") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_named() {
        let mut passed = PassedOver::default();
        assert_eq!(passed.to_string(), "0");
        for (nth, reason) in PassedOverReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, nth, "the counts are in this order");
            (0..=nth).for_each(|_| passed.add(reason));
            assert_eq!(passed.count(reason), nth + 1);
        }
        assert_eq!(passed.total(), 45);
        assert!(passed.to_string().starts_with("45 (system files 1, hidden 2, "), "{passed}");
    }
}
