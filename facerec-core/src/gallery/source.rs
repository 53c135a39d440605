//! Rows on their way between a gallery and an export, wherever the gallery is kept.

use super::audit::AuditRow;
use super::records::{ImportReport, PersonId};
use super::rows::{FaceRow, Marks, PersonRow, State};
use super::store::{Checked, Edit, Snapshot};
use crate::error::{Error, Result};

/// One consistent state of a gallery, row by row.
pub(super) trait Source {
    fn state(&self) -> Result<State>;
    /// Every person, in the order of their ids.
    fn each_person(&self, visit: &mut dyn FnMut(Checked<PersonRow<'_>>) -> Result<()>) -> Result<()>;
    /// Every face, in the order of their ids.
    fn each_face(&self, visit: &mut dyn FnMut(Checked<FaceRow<'_>>) -> Result<()>) -> Result<()>;
    /// The faces of one person, in the order of their ids.
    fn each_face_of(&self, person: PersonId, visit: &mut dyn FnMut(Checked<FaceRow<'_>>) -> Result<()>) -> Result<()>;
    /// Every entry of the audit log, in their order.
    fn each_entry(&self, visit: &mut dyn FnMut(Checked<AuditRow>) -> Result<()>) -> Result<()>;
    /// The marks of all rows that are intact, where the state holds such.
    fn marks(&self) -> Result<Option<Marks>>;
    /// A `gallery_corrupt` that says what to do.
    fn corrupt(&self, reason: &str) -> Error;
}

/// Where the faces of an import go.
pub(super) trait Sink {
    /// Takes a face of the person called `name`, unless they have the very same vector. The ids of `face` are given out by the
    /// gallery, and its time too when it is 0.
    fn take(&mut self, name: &str, face: FaceRow<'_>) -> Result<()>;
    /// All were taken; what became of them.
    fn finish(&mut self) -> Result<ImportReport>;
}

impl Source for Snapshot<'_> {
    fn state(&self) -> Result<State> {
        self.state()
    }

    fn each_person(&self, visit: &mut dyn FnMut(Checked<PersonRow<'_>>) -> Result<()>) -> Result<()> {
        self.scan_persons(0, visit)
    }

    fn each_face(&self, visit: &mut dyn FnMut(Checked<FaceRow<'_>>) -> Result<()>) -> Result<()> {
        self.scan_faces(0, visit)
    }

    fn each_face_of(&self, person: PersonId, visit: &mut dyn FnMut(Checked<FaceRow<'_>>) -> Result<()>) -> Result<()> {
        self.scan_faces_of(person, visit)
    }

    fn each_entry(&self, visit: &mut dyn FnMut(Checked<AuditRow>) -> Result<()>) -> Result<()> {
        self.scan_audit(0, usize::MAX, visit)
    }

    fn marks(&self) -> Result<Option<Marks>> {
        Snapshot::marks(self).map(Some)
    }

    fn corrupt(&self, reason: &str) -> Error {
        self.corrupt(reason)
    }
}

/// An import into a folder.
pub(super) struct LocalSink<'e, 'a> {
    edit: &'e mut Edit<'a>,
    report: ImportReport,
}

impl<'e, 'a> LocalSink<'e, 'a> {
    pub(super) fn new(edit: &'e mut Edit<'a>) -> Self {
        Self { edit, report: ImportReport { persons: 0, faces: 0, duplicates: 0 } }
    }
}

impl Sink for LocalSink<'_, '_> {
    fn take(&mut self, name: &str, face: FaceRow<'_>) -> Result<()> {
        let (person, new) = self.edit.person(name)?;
        if !new && self.edit.has_vector(person, face.vector)? {
            self.report.duplicates += 1;
            return Ok(());
        }
        self.edit.add_face(FaceRow { person, ..face })?;
        self.report.persons += usize::from(new);
        self.report.faces += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<ImportReport> {
        Ok(self.report)
    }
}
