//! Renaming and merging people, together with all that names them or waits to be enrolled as them.

use facerec_core::gallery::Person;
use sqlx::{Any, Transaction};

use super::{Now, changing, drop_photo, find, find_lasting, now, tracks};
use crate::app::App;
use crate::db::now_ms;
use crate::error::{Error, Result};
use crate::forwarder::record;
use crate::litter::discard;

/// Renames a person. Who is interrupted asks again.
///
/// # Errors
/// `not_found`, `conflict` when another person has the name; the gallery's, `database`.
pub async fn rename(app: &App, actor: &str, id: &str, name: &str) -> Result<Person> {
    let mut tx = changing(&app.db).await?;
    let person = find_lasting(app, &mut tx, id).await?;
    if person.name != name {
        let (old, new) = (person.name.clone(), name.to_owned());
        let renaming = app.blocking(move |app| {
            if app.gallery.person(&new).is_ok() {
                return Err(Error::Conflict("another person has this name; merge the two instead".into()));
            }
            Ok(app.gallery.rename(&old, &new)?)
        });
        renaming.await?;
    }
    let statement = "UPDATE photo SET person = $1 WHERE person_id = $2 OR (person_id IS NULL AND person = $3)";
    sqlx::query(statement).bind(name).bind(id).bind(&person.name).execute(&mut *tx).await?;
    remember(&mut tx, id, id, name).await?;
    record(&mut tx, actor, "person.renamed", id).await?;
    tx.commit().await?;
    tracks::refresh(app, id).await?;
    app.db.soil();
    app.db.scrub().await;
    find(app, id).await
}

/// Makes `from` the person `id`. Asked again, it finishes what was interrupted; when all is done it changes nothing.
///
/// # Errors
/// `not_found`; the gallery's, `database`.
pub async fn merge(app: &App, actor: &str, id: &str, from: &str) -> Result<Person> {
    if note(app, actor, id, from).await? {
        let mut tx = changing(&app.db).await?;
        let into = find_lasting(app, &mut tx, id).await?;
        // Gone: another request for the same was faster.
        if let Ok(from) = find(app, from).await {
            remember(&mut tx, &from.id.to_string(), id, &into.name).await?;
            app.blocking(move |app| Ok(app.gallery.merge(&from.name, &into.name)?)).await?;
        }
        tx.commit().await?;
    }
    tracks::refresh(app, from).await?;
    app.db.soil();
    app.db.scrub().await;
    find(app, id).await
}

/// The database first: who is interrupted finds both people still there. False when `from` was merged into `id` before.
async fn note(app: &App, actor: &str, id: &str, from: &str) -> Result<bool> {
    let mut tx = changing(&app.db).await?;
    let into = find_lasting(app, &mut tx, id).await?;
    let gone = match find_lasting(app, &mut tx, from).await {
        Err(Error::NotFound(_)) if matches!(now(&mut tx, from).await?, Now::Known { id: now_id, .. } if now_id == id) => return Ok(false),
        found => found?,
    };
    let statement = "UPDATE photo SET person_id = $1, person = $2 WHERE person_id = $3";
    sqlx::query(statement).bind(id).bind(&into.name).bind(from).execute(&mut *tx).await?;
    let statement = "UPDATE photo SET person = $1 WHERE person_id IS NULL AND person = $2";
    sqlx::query(statement).bind(&into.name).bind(&gone.name).execute(&mut *tx).await?;
    remember(&mut tx, from, id, &into.name).await?;
    record(&mut tx, actor, "person.merged", id).await?;
    tx.commit().await?;
    Ok(true)
}

/// Writes down whose face a photo became; `tx` [watches](super::watching). False: they were forgotten meanwhile, and the photo with them.
///
/// # Errors
/// `database`.
pub async fn accepted(tx: &mut Transaction<'static, Any>, photo: &str, person: &str, face: &str) -> Result<bool> {
    let (id, name) = match now(tx, person).await? {
        Now::Same => (person.to_owned(), None),
        Now::Known { id, name } => (id, Some(name)),
        Now::Forgotten => {
            discard(tx, &format!("faces/{face}"), now_ms()).await?;
            drop_photo(tx, photo).await?;
            return Ok(false);
        }
    };
    let statement = "UPDATE photo SET person_id = $1, person = COALESCE($2, person), face_id = $3, reason = NULL WHERE id = $4";
    sqlx::query(statement).bind(id).bind(name).bind(face).bind(photo).execute(&mut **tx).await?;
    Ok(true)
}

/// Writes down who the person `id` is now, for results that still name them as they were.
async fn remember(tx: &mut Transaction<'static, Any>, id: &str, now_id: &str, name: &str) -> Result<()> {
    let statement = "UPDATE known_as SET now_id = $1, name = $2 WHERE now_id = $3";
    sqlx::query(statement).bind(now_id).bind(name).bind(id).execute(&mut **tx).await?;
    let statement = "INSERT INTO known_as (person_id, now_id, name) VALUES ($1, $2, $3) \
                     ON CONFLICT (person_id) DO UPDATE SET now_id = $2, name = $3";
    sqlx::query(statement).bind(id).bind(now_id).bind(name).execute(&mut **tx).await?;
    Ok(())
}
