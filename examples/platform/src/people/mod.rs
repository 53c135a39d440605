//! What the database knows of people, kept in step with the gallery, which is the truth about them.
//!
//! The two are different stores, and work is on its way between them at any time. What keeps them together is one lock: who adds to a
//! person *watches*, who renames, merges or forgets *changes* ([`watching`], [`changing`]). And since results may name somebody as they
//! were an hour ago, the database remembers what became of everybody who was renamed or merged ([`now`]) or forgotten.

mod change;
mod forget;
mod tracks;

use facerec_core::gallery::{Person, PersonId};
use sqlx::{Any, Row as _, Transaction};

use crate::app::App;
use crate::db::Db;
use crate::error::{Error, Result};

pub use change::{accepted, merge, rename};
pub use forget::{drop_file, drop_photo, forget, sweep};
pub use tracks::{FORGOTTEN, add, enrolled, read_document};

/// The lock's number in PostgreSQL, where it is nobody else's.
const LOCK: i64 = 0x0066_6163_6572_6563;

/// A transaction until whose end nobody is renamed, merged or forgotten. Many may watch at the same time.
///
/// # Errors
/// `database`.
pub async fn watching(db: &Db) -> Result<Transaction<'static, Any>> {
    begin(db, "SELECT 1 FROM pg_advisory_xact_lock_shared($1)").await
}

/// A transaction that alone may rename, merge and forget until its end, and rewrite tracks.
///
/// # Errors
/// `database`.
pub async fn changing(db: &Db) -> Result<Transaction<'static, Any>> {
    begin(db, "SELECT 1 FROM pg_advisory_xact_lock($1)").await
}

/// SQLite has one writer at a time anyway.
async fn begin(db: &Db, lock: &'static str) -> Result<Transaction<'static, Any>> {
    let mut tx = db.begin().await?;
    if db.is_postgres() {
        sqlx::query(lock).bind(LOCK).execute(&mut *tx).await?;
    }
    Ok(tx)
}

/// What became of the person that a result names.
#[derive(Debug, PartialEq, Eq)]
pub enum Now {
    /// Nothing: they are who they were.
    Same,
    /// They were renamed, or are another one now.
    Known {
        /// The id.
        id: String,
        /// The name.
        name: String,
    },
    /// They must not be named again.
    Forgotten,
}

/// What became of the person `id`.
///
/// # Errors
/// `database`.
pub async fn now(tx: &mut Transaction<'static, Any>, id: &str) -> Result<Now> {
    if is_forgotten(tx, id).await? {
        return Ok(Now::Forgotten);
    }
    let row = sqlx::query("SELECT now_id, name FROM known_as WHERE person_id = $1").bind(id).fetch_optional(&mut **tx).await?;
    Ok(match row {
        Some(row) => Now::Known { id: row.try_get("now_id")?, name: row.try_get("name")? },
        None => Now::Same,
    })
}

async fn is_forgotten(tx: &mut Transaction<'static, Any>, id: &str) -> Result<bool> {
    let row = sqlx::query("SELECT person_id FROM forgotten WHERE person_id = $1").bind(id).fetch_optional(&mut **tx).await?;
    Ok(row.is_some())
}

/// The person of an id, as the gallery has them.
///
/// # Errors
/// `not_found`; the gallery's.
pub async fn find(app: &App, id: &str) -> Result<Person> {
    // As it is written, to the letter: results hold ids as text.
    let number = id.parse().map(PersonId).ok().filter(|number| number.to_string() == id);
    let found = match number {
        Some(number) => app.blocking(move |app| Ok(app.gallery.person_by_id(number)?)).await?,
        None => None,
    };
    found.ok_or_else(|| Error::NotFound("no person of this id".into()))
}

/// The person of an id who is not being forgotten.
async fn find_lasting(app: &App, tx: &mut Transaction<'static, Any>, id: &str) -> Result<Person> {
    if is_forgotten(tx, id).await? {
        return Err(Error::NotFound("no person of this id: they are being forgotten".into()));
    }
    find(app, id).await
}

/// Refuses to add to a person called `name` while one of that name is being forgotten: what is added would be theirs.
///
/// # Errors
/// `unavailable`: in a moment the name is free. The gallery's; `database`.
pub async fn check_free(app: &App, tx: &mut Transaction<'static, Any>, name: &str) -> Result<()> {
    let called = name.to_owned();
    let person = app.blocking(move |app| match app.gallery.person(&called) {
        Ok(person) => Ok(Some(person.id.to_string())),
        Err(error) if error.kind().code() == "person_not_found" => Ok(None),
        Err(error) => Err(error.into()),
    });
    match person.await? {
        Some(id) if is_forgotten(tx, &id).await? => {
            Err(Error::Unavailable("somebody of this name is being forgotten; try again in a moment".into()))
        }
        _ => Ok(()),
    }
}
