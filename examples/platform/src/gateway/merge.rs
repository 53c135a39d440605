//! Two people who are one: the faces of one become the other's.

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::{Extension, Json as Answer};
use facerec_core::gallery::Person;
use facerec_core::{FaceId, NewFace};
use serde::Deserialize;
use serde_json::Value;

use super::Gateway;
use super::auth::Caller;
use super::bodies::Json;
use super::persons::{find, shown};
use crate::app::App;
use crate::error::{Error, Result};
use crate::forwarder;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Merge {
    from: String,
}

/// `POST /v1/persons/{id}/merge`: the faces of `from` become this person's, and `from` is gone.
pub(super) async fn merge(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Json(body): Json<Merge>,
) -> Result<Answer<Value>> {
    if body.from == id {
        return Err(Error::Invalid("`from`: expected another person".into()));
    }
    let (into, from) = (id.clone(), body.from.clone());
    let (person, moved) = gateway.app.blocking(move |app| move_faces(app, &into, &from)).await?;
    for (old, new) in &moved {
        if let Some(picture) = gateway.app.blobs.get(&format!("faces/{old}")).await? {
            gateway.app.blobs.put(&format!("faces/{new}"), picture).await?;
        }
    }
    let mut tx = gateway.app.db.begin().await?;
    for (old, new) in &moved {
        let statement = "UPDATE photo SET face_id = $1 WHERE face_id = $2";
        sqlx::query(statement).bind(new.to_string()).bind(old.to_string()).execute(&mut *tx).await?;
    }
    for statement in [
        "UPDATE photo SET person_id = $1, person = $2 WHERE person_id = $3",
        "UPDATE track SET person_id = $1, person = $2 WHERE person_id = $3",
    ] {
        sqlx::query(statement).bind(&id).bind(&person.name).bind(&body.from).execute(&mut *tx).await?;
    }
    forwarder::record(&mut tx, &caller.name, "person.merged", &id).await?;
    tx.commit().await?;
    let from = body.from;
    let person = gateway.app.blocking(move |app| {
        let gone = find(&app.gallery, &from)?;
        app.gallery.remove_person(&gone.name)?;
        find(&app.gallery, &id)
    });
    let person = person.await?;
    for old in moved.keys() {
        gateway.app.blobs.remove(&format!("faces/{old}")).await?;
    }
    Ok(Answer(shown(&person)))
}

/// Copies the faces of `from` to `into`, all or none; faces that an interrupted merge copied already are not copied again.
fn move_faces(app: &App, into: &str, from: &str) -> Result<(Person, HashMap<FaceId, FaceId>)> {
    let (into, from) = (find(&app.gallery, into)?, find(&app.gallery, from)?);
    let there = app.gallery.faces(&into.name)?;
    let mut moved = HashMap::new();
    let mut copies = Vec::new();
    for face in app.gallery.faces(&from.name)? {
        let same = there.iter().find(|other| face.source.is_some() && other.source == face.source);
        match same {
            Some(other) => drop(moved.insert(face.id, other.id)),
            None => copies.extend(app.gallery.embedding(face.id)?.map(|embedding| (face, embedding))),
        }
    }
    let mut new = Vec::new();
    for (face, embedding) in &copies {
        let mut copy = NewFace::new(embedding);
        copy = face.quality.map_or(copy, |quality| copy.quality(quality));
        copy = face.source.as_deref().map_or(copy, |source| copy.source(source));
        copy = face.digest.as_deref().map_or(copy, |digest| copy.digest(digest));
        copy = face.metadata.as_deref().map_or(copy, |metadata| copy.metadata(metadata));
        new.push((into.name.as_str(), copy));
    }
    let ids = app.gallery.add_many(&new)?;
    moved.extend(copies.iter().map(|(face, _)| face.id).zip(ids));
    Ok((into, moved))
}
