//! Two people who are one: the faces of one become the other's.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json as Answer};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Gateway;
use super::auth::Caller;
use super::bodies::Json;
use super::persons::shown;
use super::repeats::Repeat;
use crate::error::{Error, Result};
use crate::people;

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
    headers: HeaderMap,
    Json(body): Json<Merge>,
) -> Result<Answer<Value>> {
    if body.from == id {
        return Err(Error::Invalid("`from`: expected another person".into()));
    }
    let repeat = Repeat::of(&caller, &headers, "merge", &json!([id, body.from]))?;
    let person = match repeat.answer(&gateway.app.db).await? {
        // Of the name only the gallery knows what it is now.
        Some(first) => {
            let mut person = people::find(&gateway.app, &id).await?;
            person.faces = first["faces"].as_u64().and_then(|faces| usize::try_from(faces).ok()).unwrap_or(person.faces);
            person
        }
        None => {
            let app = gateway.app.clone();
            let person = gateway.app.whole(async move { people::merge(&app, &caller.name, &id, &body.from).await }).await?;
            repeat.keep(&gateway.app.db, json!({"faces": person.faces})).await?;
            person
        }
    };
    Ok(Answer(shown(&person)))
}
