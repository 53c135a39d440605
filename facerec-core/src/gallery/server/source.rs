//! A gallery on a server, row by row: for exports and `verify`.

use std::cell::RefCell;
use std::path::PathBuf;

use super::failure::Failure;
use super::rows::{ENTRY, FACE, OwnedFace, PERSON, entry, person};
use super::schema;
use super::tx::{Tx, corrupt};
use crate::error::{Error, Result};
use crate::gallery::audit::AuditRow;
use crate::gallery::records::PersonId;
use crate::gallery::rows::{FaceRow, Marks, PersonRow, State};
use crate::gallery::source::Source;
use crate::gallery::store::Checked;

/// The state of the gallery that a transaction sees.
pub(super) struct ServerSource<'t, 'a> {
    tx: RefCell<&'t mut Tx<'a>>,
    place: PathBuf,
}

impl<'t, 'a> ServerSource<'t, 'a> {
    pub(super) fn new(tx: &'t mut Tx<'a>) -> Self {
        let place = tx.place().into();
        Self { tx: RefCell::new(tx), place }
    }

    /// The transaction; busy only if a visitor of rows asked for more, which none does.
    fn with<T>(&self, work: impl FnOnce(&mut Tx<'a>) -> Result<T, Failure>) -> Result<T> {
        let mut tx = self.tx.try_borrow_mut().map_err(|_| Error::internal("rows were asked for while rows are read"))?;
        work(&mut tx).map_err(|failure| failure.error)
    }
}

impl Source for ServerSource<'_, '_> {
    fn state(&self) -> Result<State> {
        self.with(schema::state)
    }

    fn each_person(&self, visit: &mut dyn FnMut(Checked<PersonRow<'_>>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {PERSON} FROM gallery.persons p ORDER BY id");
        self.with(|tx| tx.each(&sql, &[], |row| Ok(visit(person(&row, 0))?)))
    }

    fn each_face(&self, visit: &mut dyn FnMut(Checked<FaceRow<'_>>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {FACE} FROM gallery.faces f ORDER BY id");
        self.with(|tx| tx.each(&sql, &[], |row| Ok(visit(OwnedFace::new(row).checked())?)))
    }

    fn each_face_of(&self, person: PersonId, visit: &mut dyn FnMut(Checked<FaceRow<'_>>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {FACE} FROM gallery.faces f WHERE person = $1 ORDER BY id");
        self.with(|tx| tx.each(&sql, &[&person.0], |row| Ok(visit(OwnedFace::new(row).checked())?)))
    }

    fn each_entry(&self, visit: &mut dyn FnMut(Checked<AuditRow>) -> Result<()>) -> Result<()> {
        let sql = format!("SELECT {ENTRY} FROM gallery.audit ORDER BY id");
        self.with(|tx| tx.each(&sql, &[], |row| Ok(visit(entry(&row))?)))
    }

    fn marks(&self) -> Result<Option<Marks>> {
        self.with(schema::marks).map(Some)
    }

    fn corrupt(&self, reason: &str) -> Error {
        corrupt(&self.place, reason)
    }
}
