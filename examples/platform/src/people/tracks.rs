//! The people in tracks: named as they are known when a track is written, and again when they are renamed, merged or forgotten.

use std::collections::BTreeSet;

use sqlx::{Any, Row as _, Transaction};

use super::{Now, changing, now};
use crate::app::App;
use crate::db::{Row, now_ms};
use crate::error::{Error, Result};
use crate::jobs::Claim;
use crate::litter::discard;
use crate::results::{Track, TrackDocument};
use crate::workers::track_key;

/// The reason of a track whose person was forgotten: nothing is left of it but when it was.
pub const FORGOTTEN: &str = "forgotten";

/// Tracks rewritten in one transaction: others wait for no more than these.
const AT_ONCE: i64 = 50;

/// Writes a new track, with its people as they are known now; `tx` [watches](super::watching). True: it named somebody who must not be
/// named again.
///
/// # Errors
/// `database`.
pub async fn add(tx: &mut Transaction<'static, Any>, claim: &Claim, track: &Track) -> Result<bool> {
    let mut track = track.clone();
    let left_out = update(tx, &mut track).await?;
    let statement = "INSERT INTO track (session, attempt, track, ordinal, person_id, person, forgotten, document) VALUES ($1, $2, $3, \
                     (SELECT COALESCE(MAX(ordinal), 0) + 1 FROM track WHERE session = $1 AND attempt = $2), $4, $5, $6, $7) \
                     ON CONFLICT (session, attempt, track) DO NOTHING";
    let insert = sqlx::query(statement).bind(&claim.id).bind(claim.attempt).bind(track.track).bind(&track.person_id).bind(&track.person);
    let insert = insert.bind(i64::from(is_forgotten(&track))).bind(write_document(&track.document)?);
    if insert.execute(&mut **tx).await?.rows_affected() == 1 {
        mention(tx, &claim.id, claim.attempt, &track).await?;
    }
    Ok(left_out)
}

/// Names tracks of a session after the person whom they were enrolled as; `tx` [changes](super::changing).
///
/// # Errors
/// `not_found` when the session was removed meanwhile, `database`.
pub async fn enrolled(
    tx: &mut Transaction<'static, Any>,
    (session, attempt): (&str, i64),
    tracks: &[i64],
    (id, name): (&str, &str),
) -> Result<()> {
    let statement = "SELECT track, person_id, person, document FROM track WHERE session = $1 AND attempt = $2 AND track = $3";
    for number in tracks {
        let row = sqlx::query(statement).bind(session).bind(attempt).bind(*number).fetch_optional(&mut **tx).await?;
        let mut track = read(&row.ok_or_else(|| Error::NotFound("the session was removed".into()))?)?;
        (track.person_id, track.person) = (Some(id.to_owned()), Some(name.to_owned()));
        track.document.reason = "enrolled".into();
        write(tx, session, attempt, &track).await?;
    }
    Ok(())
}

/// Brings all tracks that name the person up to date, a few at a time. It can be interrupted and begun again.
pub(super) async fn refresh(app: &App, person: &str) -> Result<()> {
    let mut last = (String::new(), 0_i64, 0_i64);
    loop {
        let mut tx = changing(&app.db).await?;
        let statement = "SELECT track.session AS session, track.attempt AS attempt, track.track AS track, track.person_id AS person_id, person, \
                         document FROM mention JOIN track ON track.session = mention.session AND track.attempt = mention.attempt AND \
                         track.track = mention.track WHERE mention.person_id = $1 AND (mention.session > $2 OR (mention.session = $2 AND \
                         (mention.attempt > $3 OR (mention.attempt = $3 AND mention.track > $4)))) \
                         ORDER BY mention.session, mention.attempt, mention.track LIMIT $5";
        let query = sqlx::query(statement).bind(person).bind(&last.0).bind(last.1).bind(last.2).bind(AT_ONCE);
        let rows = query.fetch_all(&mut *tx).await?;
        for row in &rows {
            let mut track = read(row)?;
            last = (row.try_get("session")?, row.try_get("attempt")?, track.track);
            update(&mut tx, &mut track).await?;
            write(&mut tx, &last.0, last.1, &track).await?;
        }
        tx.commit().await?;
        if (rows.len() as i64) < AT_ONCE {
            return Ok(());
        }
    }
}

/// Gives everybody in a track the id and name that they have now, and takes out who was forgotten; true when somebody was.
async fn update(tx: &mut Transaction<'static, Any>, track: &mut Track) -> Result<bool> {
    let mut left_out = false;
    for person in named(track) {
        match now(tx, &person).await? {
            Now::Same => {}
            Now::Known { id, name } => rename(track, &person, &id, &name),
            Now::Forgotten => {
                forget(track, &person);
                left_out = true;
            }
        }
    }
    Ok(left_out)
}

fn named(track: &Track) -> BTreeSet<String> {
    track.document.candidates.iter().map(|candidate| &candidate.person_id).chain(&track.person_id).cloned().collect()
}

fn rename(track: &mut Track, person: &str, id: &str, name: &str) {
    if track.person_id.as_deref() == Some(person) {
        (track.person_id, track.person) = (Some(id.to_owned()), Some(name.to_owned()));
    }
    for candidate in track.document.candidates.iter_mut().filter(|candidate| candidate.person_id == person) {
        (candidate.person_id, candidate.person) = (id.to_owned(), name.to_owned());
    }
    // Two who became one: the better, which comes first, speaks for both.
    let mut seen = BTreeSet::new();
    track.document.candidates.retain(|candidate| seen.insert(candidate.person_id.clone()));
}

/// Takes a person out of a track. Of one that was theirs nothing stays that could tell who it was.
fn forget(track: &mut Track, person: &str) {
    let document = &mut track.document;
    document.candidates.retain(|candidate| candidate.person_id != person);
    if track.person_id.as_deref() == Some(person) {
        (track.person_id, track.person) = (None, None);
        document.shots.clear();
        document.candidates.clear();
        (document.similarity, document.margin) = (0.0, 0.0);
        document.reason = FORGOTTEN.into();
    }
}

fn is_forgotten(track: &Track) -> bool {
    track.document.reason == FORGOTTEN
}

fn read(row: &Row) -> Result<Track> {
    let document = read_document(&row.try_get::<String, _>("document")?)?;
    Ok(Track { track: row.try_get("track")?, person_id: row.try_get("person_id")?, person: row.try_get("person")?, document })
}

async fn write(tx: &mut Transaction<'static, Any>, session: &str, attempt: i64, track: &Track) -> Result<()> {
    let statement = "UPDATE track SET person_id = $1, person = $2, forgotten = $3, document = $4 \
                     WHERE session = $5 AND attempt = $6 AND track = $7";
    let update = sqlx::query(statement).bind(&track.person_id).bind(&track.person).bind(i64::from(is_forgotten(track)));
    let update = update.bind(write_document(&track.document)?).bind(session).bind(attempt).bind(track.track);
    if update.execute(&mut **tx).await?.rows_affected() == 0 {
        return Ok(()); // its session was removed meanwhile
    }
    let statement = "DELETE FROM mention WHERE session = $1 AND attempt = $2 AND track = $3";
    sqlx::query(statement).bind(session).bind(attempt).bind(track.track).execute(&mut **tx).await?;
    mention(tx, session, attempt, track).await
}

/// Writes down whom a track names, and has the files of a forgotten one removed.
async fn mention(tx: &mut Transaction<'static, Any>, session: &str, attempt: i64, track: &Track) -> Result<()> {
    for person in named(track) {
        let statement = "INSERT INTO mention (person_id, session, attempt, track) VALUES ($1, $2, $3, $4)";
        sqlx::query(statement).bind(person).bind(session).bind(attempt).bind(track.track).execute(&mut **tx).await?;
    }
    if is_forgotten(track) {
        discard(tx, &track_key(session, attempt, track.track), now_ms()).await?;
    }
    Ok(())
}

/// A track's document out of the database.
///
/// # Errors
/// `internal` when it is damaged.
pub fn read_document(text: &str) -> Result<TrackDocument> {
    serde_json::from_str(text).map_err(|e| Error::Internal(format!("a track cannot be read: {e}")))
}

fn write_document(document: &TrackDocument) -> Result<String> {
    serde_json::to_string(document).map_err(|e| Error::Internal(format!("a track cannot be written: {e}")))
}
