//! Unknown people of a session: grouped by what they look like, and enrolled from there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json as Answer};
use facerec_core::track::{RejoinOptions, Tracklet, rejoin};
use facerec_core::{Embedding, FaceId, ModelKey, NewFace};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::auth::Caller;
use super::bodies::{Json, person_name};
use super::repeats::Repeat;
use super::{Gateway, sessions};
use crate::app::App;
use crate::db::Row;
use crate::error::{Error, Result};
use crate::forwarder;
use crate::people::{self, Now, read_document};
use crate::results::{Shot, TrackDocument};
use crate::workers::track_key;

/// Shots below this quality say little about who it is; facerec's report draws the same line.
const CLEAR: f32 = 0.15;

/// A track with its number and whether it has a person.
type Known = (i64, Option<String>, TrackDocument);

/// The tracks of a session but those whose person was forgotten.
const TRACKS: &str = "SELECT track, person_id, document FROM track WHERE session = $1 AND attempt = $2 AND forgotten = 0 ORDER BY track";

fn read(row: &Row) -> Result<Known> {
    let text: String = row.try_get("document")?;
    Ok((row.try_get("track")?, row.try_get("person_id")?, read_document(&text)?))
}

fn embedding(model: &Arc<ModelKey>, shot: &Shot) -> Result<Embedding> {
    Ok(Embedding::new(Arc::clone(model), shot.vector.clone())?)
}

/// What the clear shots of a track have in common.
fn tracklet(model: &Arc<ModelKey>, track: &TrackDocument) -> Result<Tracklet> {
    let clear = track.shots.iter().filter(|shot| shot.quality >= CLEAR);
    let weighted = clear.map(|shot| Ok((embedding(model, shot)?, shot.quality))).collect::<Result<Vec<_>>>()?;
    let template = Embedding::template(weighted.iter().map(|(embedding, weight)| (embedding, *weight)))?;
    let time = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    let spans = track.spans_ms.iter().map(|&[start, end]| (time(start), time(end))).collect();
    Ok(Tracklet { spans, template, identity: None })
}

/// `GET /v1/sessions/{id}/unknown`.
pub(super) async fn groups(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Answer<Value>> {
    let db = &gateway.app.db;
    let attempt: i64 = sessions::row(db, &id).await?.try_get("attempt")?;
    let rows = sqlx::query(TRACKS).bind(&id).bind(attempt).fetch_all(db.pool()).await?;
    let groups = gateway.app.blocking(move |app| grouped(app, &id, &rows)).await?;
    Ok(Answer(json!({"groups": groups})))
}

/// Who is unknown, by what they look like. Every track is compared with every other: not for the threads that answer requests.
fn grouped(app: &App, session: &str, rows: &[Row]) -> Result<Vec<Value>> {
    let tracks = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    let unknown: Vec<&Known> = tracks.iter().filter(|(_, person, _)| person.is_none()).collect();
    let model = app.gallery.model();
    let tracklets = unknown.iter().map(|(_, _, document)| tracklet(model, document)).collect::<Result<Vec<_>>>()?;
    // As sure as naming somebody; every decision carries that threshold.
    let threshold = unknown.iter().map(|(_, _, document)| document.threshold).fold(-1.0, f32::max);
    let numbers = rejoin(&tracklets, &RejoinOptions::new(threshold, Duration::MAX))?;
    let mut groups: Vec<Vec<&Known>> = Vec::new();
    for (track, number) in unknown.into_iter().zip(numbers) {
        groups.resize(groups.len().max(number + 1), Vec::new());
        groups[number].push(track);
    }
    let shown = groups.iter().map(|group| {
        let shots =
            group.iter().flat_map(|(track, _, document)| document.shots.iter().enumerate().map(move |(n, shot)| (track, n, shot.quality)));
        let best = shots.max_by(|a, b| a.2.total_cmp(&b.2));
        let url = best.map(|(track, n, _)| format!("/v1/sessions/{session}/tracks/{track}/shots/{n}"));
        let tracks: Vec<i64> = group.iter().map(|(track, _, _)| *track).collect();
        json!({"id": tracks[0].to_string(), "tracks": tracks, "size": tracks.len(), "url": url})
    });
    Ok(shown.collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    tracks: Vec<i64>,
    person: String,
}

/// A clear shot: what the gallery calls the face that it becomes, where its picture lies, and itself.
type Chosen = (String, String, Shot);

/// `POST /v1/sessions/{id}/enrol`: the clear shots of these tracks become faces of a person, and the tracks get the name.
/// Asking again adds nothing.
pub(super) async fn enrol(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(wanted): Json<Wanted>,
) -> Result<Answer<Value>> {
    let person = person_name(&wanted.person)?;
    let repeat = Repeat::of(&caller, &headers, "enrol", &json!([id, wanted.tracks, person]))?;
    let app = &gateway.app;
    if let Some(first) = repeat.answer(&app.db).await? {
        return Ok(Answer(first));
    }
    let attempt: i64 = sessions::row(&app.db, &id).await?.try_get("attempt")?;
    let asked = (gateway.app.clone(), caller.name);
    let answer = app.whole(async move { name_tracks(&asked.0, &asked.1, (&id, attempt), &wanted.tracks, &person).await }).await?;
    Ok(Answer(repeat.keep(&app.db, answer).await?))
}

async fn name_tracks(app: &App, actor: &str, (session, attempt): (&str, i64), tracks: &[i64], person: &str) -> Result<Value> {
    // From here on nobody is renamed, merged or forgotten: not the person, and not those whose tracks these are.
    let mut tx = people::changing(&app.db).await?;
    people::check_free(app, &mut tx, person).await?;
    let mut rows = sqlx::query(TRACKS).bind(session).bind(attempt).fetch_all(&mut *tx).await?;
    rows.retain(|row| row.try_get("track").is_ok_and(|track| tracks.contains(&track)));
    if tracks.is_empty() || rows.len() != tracks.iter().collect::<HashSet<_>>().len() {
        return Err(Error::NotFound("`tracks`: expected tracks of this session whose person was not forgotten".into()));
    }
    let (of, name) = (session.to_owned(), person.to_owned());
    let (person_id, added, pictures) = app.blocking(move |app| add(app, &name, &clear_shots(&of, attempt, &rows)?)).await?;
    people::enrolled(&mut tx, (session, attempt), tracks, (&person_id, person)).await?;
    forwarder::record(&mut tx, actor, "person.enrolled", &person_id).await?;
    tx.commit().await?;
    copy(app, &person_id, pictures).await?;
    let faces = people::find(app, &person_id).await?.faces;
    Ok(json!({"person_id": person_id, "faces": faces, "added": added}))
}

fn clear_shots(session: &str, attempt: i64, rows: &[Row]) -> Result<Vec<Chosen>> {
    let mut shots = Vec::new();
    for (track, _, document) in rows.iter().map(read).collect::<Result<Vec<_>>>()? {
        let clear = document.shots.into_iter().enumerate().filter(|(_, shot)| shot.quality >= CLEAR);
        let key = track_key(session, attempt, track);
        shots.extend(clear.map(|(n, shot)| (format!("session:{session}:{track}:{n}"), format!("{key}/{n}"), shot)));
    }
    if shots.is_empty() {
        return Err(Error::Conflict("no shot of these tracks is clear enough to enrol; choose others or enrol a photo".into()));
    }
    Ok(shots)
}

/// Pictures of shots, and the faces whose pictures they are.
type Pictures = Vec<(String, FaceId)>;

/// Adds shots as faces, but for those that the person has already; the person's id, how many are new, and all pictures.
fn add(app: &App, name: &str, shots: &[Chosen]) -> Result<(String, usize, Pictures)> {
    let before = faces_of(app, name)?;
    let new: Vec<&Chosen> = shots.iter().filter(|(source, _, _)| !before.contains_key(source)).collect();
    let embeddings = new.iter().map(|(_, _, shot)| embedding(app.gallery.model(), shot)).collect::<Result<Vec<_>>>()?;
    let faces: Vec<_> = new.iter().zip(&embeddings).map(|((source, _, _), e)| (name, NewFace::new(e).source(source))).collect();
    app.gallery.add_many(&faces)?;
    let mut faces = faces_of(app, name)?;
    let pictures = shots.iter().filter_map(|(source, key, _)| Some((key.clone(), faces.remove(source)?)));
    Ok((app.gallery.person(name)?.id.to_string(), new.len(), pictures.collect()))
}

/// Gives faces their pictures: all that have none, since an earlier request may have died before it had copied them.
async fn copy(app: &App, person: &str, pictures: Pictures) -> Result<()> {
    let mut tx = people::watching(&app.db).await?;
    if people::now(&mut tx, person).await? == Now::Forgotten {
        return Ok(());
    }
    for (from, face) in pictures {
        let to = format!("faces/{face}");
        if !app.blobs.has(&to).await?
            && let Some(picture) = app.blobs.get(&from).await?
        {
            app.blobs.put(&to, picture).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// The faces of a person by where they came from.
fn faces_of(app: &App, person: &str) -> Result<HashMap<String, FaceId>> {
    match app.gallery.faces(person) {
        Ok(faces) => Ok(faces.into_iter().filter_map(|face| Some((face.source?, face.id))).collect()),
        Err(error) if error.kind().code() == "person_not_found" => Ok(HashMap::new()),
        Err(error) => Err(error.into()),
    }
}
