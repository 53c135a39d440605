//! People. The gallery is the truth about them; the database knows their photos and where they were seen.

use axum::extract::{Path, State};
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use facerec_core::gallery::Person;
use facerec_core::text::canonical_name;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Gateway;
use super::auth::Caller;
use super::bodies::{Json, Page, bad_cursor, params, person_name};
use crate::error::{Error, Result};
use crate::ids::hex;
use crate::people;

/// A person as the API shows them.
pub(super) fn shown(person: &Person) -> Value {
    let thumbnail = format!("/v1/persons/{}/thumbnail", person.id);
    json!({"id": person.id.to_string(), "name": person.name, "faces": person.faces, "created_ms": person.created_ms, "thumbnail": thumbnail})
}

#[derive(Deserialize)]
struct Wanted {
    q: Option<String>,
    #[serde(flatten)]
    page: Page,
}

/// `GET /v1/persons`: by name; the cursor is the last name in hex.
pub(super) async fn list(State(gateway): State<Gateway>, uri: Uri) -> Result<Answer<Value>> {
    let Wanted { q, page } = params(&uri)?;
    let limit = usize::try_from(page.limit()?).unwrap_or(50);
    let bytes = |cursor: &String| {
        let digits = cursor.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        String::from_utf8(digits.collect::<Option<Vec<u8>>>()?).ok()
    };
    let after = page.cursor.as_ref().map(|cursor| bytes(cursor).ok_or_else(bad_cursor)).transpose()?;
    let mut people = gateway.app.blocking(|app| Ok(app.gallery.persons()?)).await?;
    people.sort_by(|a, b| a.name.cmp(&b.name));
    let wanted = canonical_name(&q.unwrap_or_default()).to_lowercase();
    let fits = |person: &Person| after.as_ref().is_none_or(|after| person.name > *after) && person.name.to_lowercase().contains(&wanted);
    let mut found: Vec<Person> = people.into_iter().filter(fits).take(limit + 1).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|person| hex(person.name.as_bytes()));
    Ok(Answer(json!({"items": found.iter().map(shown).collect::<Vec<_>>(), "next": next})))
}

/// `GET /v1/persons/{id}`.
pub(super) async fn one(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Answer<Value>> {
    Ok(Answer(shown(&people::find(&gateway.app, &id).await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    name: String,
}

/// `PATCH /v1/persons/{id}`.
pub(super) async fn rename(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Json(body): Json<Rename>,
) -> Result<Answer<Value>> {
    let (name, app) = (person_name(&body.name)?, gateway.app.clone());
    let person = gateway.app.whole(async move { people::rename(&app, &caller.name, &id, &name).await }).await?;
    Ok(Answer(shown(&person)))
}

/// `DELETE /v1/persons/{id}`. When the answer is given, nothing is left.
pub(super) async fn forget(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Answer<Value>> {
    let app = gateway.app.clone();
    let removed = gateway.app.whole(async move { people::forget(&app, &caller.name, &id).await }).await?;
    Ok(Answer(json!({"removed_faces": removed})))
}

/// `GET /v1/persons/{id}/thumbnail`: the newest face of which there is a picture.
pub(super) async fn thumbnail(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Response> {
    let person = people::find(&gateway.app, &id).await?;
    let faces = gateway.app.blocking(move |app| Ok(app.gallery.faces(&person.name)?)).await?;
    for face in faces.iter().rev() {
        if let Some(picture) = gateway.app.blobs.get(&format!("faces/{}", face.id)).await? {
            return Ok(([(header::CONTENT_TYPE, "image/jpeg")], picture).into_response());
        }
    }
    Err(Error::NotFound("no picture of this person".into()))
}
