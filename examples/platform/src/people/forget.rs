//! Forgetting people, and photos that came to nothing.

use sqlx::{Any, Row as _, Transaction};

use super::{changing, find, tracks};
use crate::app::App;
use crate::db::now_ms;
use crate::error::{Error, Result};
use crate::forwarder::record;
use crate::litter::{discard, remove_due};

/// Forgets a person and everybody who was merged into them; returns how many faces there were. From the first step on no result names
/// them and nothing is enrolled as them; the gallery comes last, so that who is interrupted finds the person and can ask again, and the
/// sweep finishes for who does not.
///
/// # Errors
/// `not_found`; the gallery's, `database`, the files'.
pub async fn forget(app: &App, actor: &str, id: &str) -> Result<usize> {
    let (everybody, faces) = begin(app, actor, id).await?;
    for person in &everybody {
        finish(app, person).await?;
    }
    app.db.soil();
    app.db.scrub().await;
    Ok(faces)
}

/// One short transaction after which nothing new can come: whoever adds to a person asks first whether they are forgotten.
async fn begin(app: &App, actor: &str, id: &str) -> Result<(Vec<String>, usize)> {
    let mut tx = changing(&app.db).await?;
    find(app, id).await?;
    let mut everybody: Vec<String> =
        sqlx::query_scalar("SELECT person_id FROM known_as WHERE now_id = $1 AND person_id <> $1 ORDER BY person_id")
            .bind(id)
            .fetch_all(&mut *tx)
            .await?;
    everybody.push(id.to_owned());
    sqlx::query("DELETE FROM known_as WHERE now_id = $1").bind(id).execute(&mut *tx).await?;
    let mut faces = 0;
    for person in &everybody {
        let statement = "INSERT INTO forgotten (person_id, done) VALUES ($1, 0) ON CONFLICT (person_id) DO NOTHING";
        let new = sqlx::query(statement).bind(person).execute(&mut *tx).await?.rows_affected() == 1;
        if new && person == id {
            record(&mut tx, actor, "person.forgotten", id).await?;
        }
        faces += remove_photos(app, &mut tx, person).await?;
    }
    tx.commit().await?;
    Ok((everybody, faces))
}

/// Removes a person's photos, and has the pictures of their faces removed; returns how many faces there are.
async fn remove_photos(app: &App, tx: &mut Transaction<'static, Any>, id: &str) -> Result<usize> {
    let (name, faces) = match find(app, id).await {
        Ok(person) => {
            let name = person.name.clone();
            (Some(person.name), app.blocking(move |app| Ok(app.gallery.faces(&name)?)).await?)
        }
        Err(Error::NotFound(_)) => (None, Vec::new()), // merged with another long ago
        Err(error) => return Err(error),
    };
    for face in &faces {
        discard(tx, &format!("faces/{}", face.id), now_ms()).await?;
    }
    drop_set_aside(tx, id, name.as_deref()).await?;
    let statement = "SELECT id FROM photo WHERE person_id = $1 OR (person_id IS NULL AND person = $2)";
    let photos: Vec<String> = sqlx::query_scalar(statement).bind(id).bind(name).fetch_all(&mut **tx).await?;
    for photo in &photos {
        // With its job: a worker that is at it right now sees that it has nothing to enrol any more.
        drop_photo(tx, photo).await?;
    }
    Ok(faces.len())
}

/// Removes reports that could not be used and may tell of a person: they hold names and vectors, and are few.
async fn drop_set_aside(tx: &mut Transaction<'static, Any>, id: &str, name: Option<&str>) -> Result<()> {
    let statement = "DELETE FROM set_aside WHERE message LIKE $1 ESCAPE '!' OR message LIKE $2 ESCAPE '!'";
    let written = serde_json::json!(name.unwrap_or("\u{0}")).to_string(); // in quotes, as JSON writes it
    let plain = written.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    sqlx::query(statement).bind(format!("%\"{id}\"%")).bind(format!("%{plain}%")).execute(&mut **tx).await?;
    Ok(())
}

/// Everything that may take long, in steps that can be repeated.
async fn finish(app: &App, id: &str) -> Result<()> {
    tracks::refresh(app, id).await?;
    remove_due(app).await?;
    let mut tx = changing(&app.db).await?;
    match find(app, id).await {
        Ok(person) => drop(app.blocking(move |app| Ok(app.gallery.remove_person(&person.name)?)).await?),
        Err(Error::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    sqlx::query("UPDATE forgotten SET done = 1 WHERE person_id = $1").bind(id).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// Removes a photo with its job and its file, whatever has become of it.
///
/// # Errors
/// `database`.
pub async fn drop_photo(tx: &mut Transaction<'static, Any>, id: &str) -> Result<()> {
    drop_file(tx, id).await?;
    sqlx::query("DELETE FROM job WHERE id = $1").bind(id).execute(&mut **tx).await?;
    Ok(())
}

/// Removes the file of a photo that was refused: the reason is all that is kept.
///
/// # Errors
/// `database`.
pub async fn drop_file(tx: &mut Transaction<'static, Any>, id: &str) -> Result<()> {
    let file: Option<Option<String>> =
        sqlx::query_scalar("SELECT file FROM photo WHERE id = $1").bind(id).fetch_optional(&mut **tx).await?;
    if let Some(file) = file.flatten() {
        discard(tx, &file, now_ms()).await?;
        sqlx::query("UPDATE photo SET file = NULL WHERE id = $1").bind(id).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Finishes what was interrupted, and removes what has been kept long enough. Called every few seconds by the forwarder.
///
/// # Errors
/// `database`, the files', the gallery's: it is tried again.
pub async fn sweep(app: &App) -> Result<()> {
    let unfinished = sqlx::query("SELECT person_id FROM forgotten WHERE done = 0").fetch_all(app.db.pool()).await?;
    for row in unfinished {
        finish(app, &row.try_get::<String, _>("person_id")?).await?;
        app.db.soil();
    }
    let old = now_ms() - app.config.work.keep_days * 86_400_000;
    let statement =
        "SELECT id FROM job WHERE kind = 'enrol' AND state IN ('rejected', 'failed', 'cancelled') AND created_ms < $1 LIMIT 100";
    let refused: Vec<String> = sqlx::query_scalar(statement).bind(old).fetch_all(app.db.pool()).await?;
    if !refused.is_empty() {
        let mut tx = app.db.begin().await?;
        for photo in &refused {
            drop_photo(&mut tx, photo).await?;
        }
        tx.commit().await?;
        app.db.soil();
    }
    for statement in [
        "DELETE FROM answer WHERE created_ms < $1",
        "DELETE FROM set_aside WHERE at_ms < $1",
        // Those that were given up stay until somebody has seen to them.
        "DELETE FROM delivery WHERE state = 'delivered' AND created_ms < $1",
    ] {
        sqlx::query(statement).bind(old).execute(app.db.pool()).await?;
    }
    remove_due(app).await?;
    app.db.scrub().await;
    Ok(())
}
