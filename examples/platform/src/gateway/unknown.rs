//! Unknown people of a session: grouped by what they look like, and enrolled from there.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::{Extension, Json as Answer};
use facerec_core::track::{RejoinOptions, Tracklet, rejoin};
use facerec_core::{Embedding, ModelKey, NewFace};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::auth::Caller;
use super::bodies::{Json, person_name};
use super::persons::find;
use super::{Gateway, sessions};
use crate::error::{Error, Result};
use crate::forwarder::{self, read_document};
use crate::results::{Shot, TrackDocument};
use crate::workers::track_key;

/// Shots below this quality say little about who it is; facerec's report draws the same line.
const CLEAR: f32 = 0.15;

async fn documents(gateway: &Gateway, session: &str) -> Result<(i64, Vec<(i64, Option<String>, TrackDocument)>)> {
    let attempt: i64 = sessions::row(&gateway.app.db, session).await?.try_get("attempt")?;
    let statement = "SELECT track, person_id, document FROM track WHERE session = $1 AND attempt = $2 ORDER BY track";
    let rows = sqlx::query(statement).bind(session).bind(attempt).fetch_all(gateway.app.db.pool()).await?;
    let document = |row: crate::db::Row| {
        let text: String = row.try_get("document")?;
        Ok((row.try_get("track")?, row.try_get("person_id")?, read_document(&text)?))
    };
    Ok((attempt, rows.into_iter().map(document).collect::<Result<_>>()?))
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
    let (_, tracks) = documents(&gateway, &id).await?;
    let unknown: Vec<_> = tracks.into_iter().filter(|(_, person, _)| person.is_none()).collect();
    let model = Arc::clone(gateway.app.gallery.model());
    let tracklets = unknown.iter().map(|(_, _, document)| tracklet(&model, document)).collect::<Result<Vec<_>>>()?;
    // As sure as naming somebody; every decision carries that threshold.
    let threshold = unknown.iter().map(|(_, _, document)| document.threshold).fold(-1.0, f32::max);
    let numbers = rejoin(&tracklets, &RejoinOptions::new(threshold, Duration::MAX))?;
    let mut groups: Vec<Vec<&(i64, Option<String>, TrackDocument)>> = Vec::new();
    for (track, number) in unknown.iter().zip(numbers) {
        groups.resize(groups.len().max(number + 1), Vec::new());
        groups[number].push(track);
    }
    let shown = groups.iter().map(|group| {
        let shots =
            group.iter().flat_map(|(track, _, document)| document.shots.iter().enumerate().map(move |(n, shot)| (track, n, shot.quality)));
        let best = shots.max_by(|a, b| a.2.total_cmp(&b.2));
        let url = best.map(|(track, n, _)| format!("/v1/sessions/{id}/tracks/{track}/shots/{n}"));
        let tracks: Vec<i64> = group.iter().map(|(track, _, _)| *track).collect();
        json!({"id": tracks[0].to_string(), "tracks": tracks, "size": tracks.len(), "url": url})
    });
    Ok(Answer(json!({"groups": shown.collect::<Vec<_>>()})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    tracks: Vec<i64>,
    person: String,
}

/// `POST /v1/sessions/{id}/enrol`: the clear shots of these tracks become faces of a person, and the tracks get the name.
/// Asking again adds nothing.
pub(super) async fn enrol(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Json(wanted): Json<Wanted>,
) -> Result<Answer<Value>> {
    let person = person_name(&wanted.person)?;
    let (attempt, tracks) = documents(&gateway, &id).await?;
    let chosen: Vec<_> = tracks.into_iter().filter(|(track, _, _)| wanted.tracks.contains(track)).collect();
    if chosen.is_empty() || wanted.tracks.iter().any(|track| !chosen.iter().any(|(have, _, _)| have == track)) {
        return Err(Error::NotFound("`tracks`: expected tracks of this session".into()));
    }
    let mut shots = Vec::new();
    for (track, _, document) in &chosen {
        let clear = document.shots.iter().enumerate().filter(|(_, shot)| shot.quality >= CLEAR);
        shots.extend(
            clear.map(|(n, shot)| (format!("session:{id}:{track}:{n}"), format!("{}/{n}", track_key(&id, attempt, *track)), shot.clone())),
        );
    }
    if shots.is_empty() {
        return Err(Error::Conflict("no shot of these tracks is clear enough to enrol; choose others or enrol a photo".into()));
    }
    let name = person.clone();
    let work = gateway.app.blocking(move |app| {
        let known = app.gallery.faces(&name).map(|faces| faces.into_iter().filter_map(|face| face.source).collect());
        let known: Vec<String> = match known {
            Err(error) if error.kind().code() != "person_not_found" => return Err(error.into()),
            known => known.unwrap_or_default(),
        };
        shots.retain(|(source, _, _)| !known.contains(source));
        let embeddings = shots.iter().map(|(_, _, shot)| embedding(app.gallery.model(), shot)).collect::<Result<Vec<_>>>()?;
        let new: Vec<_> =
            shots.iter().zip(&embeddings).map(|((source, _, _), e)| (name.as_str(), NewFace::new(e).source(source))).collect();
        let faces = app.gallery.add_many(&new)?;
        let pictures: Vec<_> = shots.into_iter().map(|(_, key, _)| key).zip(faces).collect();
        Ok((app.gallery.person(&name)?.id.to_string(), pictures))
    });
    let (person_id, pictures) = work.await?;
    for (from, face) in &pictures {
        if let Some(picture) = gateway.app.blobs.get(from).await? {
            gateway.app.blobs.put(&format!("faces/{face}"), picture).await?;
        }
    }
    let mut tx = gateway.app.db.begin().await?;
    for (track, _, mut document) in chosen {
        document.reason = "enrolled".into();
        let statement = "UPDATE track SET person_id = $1, person = $2, document = $3 WHERE session = $4 AND attempt = $5 AND track = $6";
        let update = sqlx::query(statement).bind(&person_id).bind(&person).bind(forwarder::write_document(&document)?);
        update.bind(&id).bind(attempt).bind(track).execute(&mut *tx).await?;
    }
    forwarder::record(&mut tx, &caller.name, "person.enrolled", &person_id).await?;
    tx.commit().await?;
    let known = person_id.clone();
    let faces = gateway.app.blocking(move |app| Ok(find(&app.gallery, &known)?.faces)).await?;
    Ok(Answer(json!({"person_id": person_id, "faces": faces, "added": pictures.len()})))
}
