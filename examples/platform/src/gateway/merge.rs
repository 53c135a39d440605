//! Two people who are one: the faces of one become the other's.

use axum::extract::{Path, State};
use axum::{Extension, Json as Answer};
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
    let find_both = move |app: &App| Ok((find(&app.gallery, &into)?, find(&app.gallery, &from)?));
    let (into, from) = gateway.app.blocking(find_both).await?;
    // The database first: who is interrupted finds both people still there and can ask again.
    let mut tx = gateway.app.db.begin().await?;
    for statement in [
        "UPDATE photo SET person_id = $1, person = $2 WHERE person_id = $3",
        "UPDATE track SET person_id = $1, person = $2 WHERE person_id = $3",
    ] {
        sqlx::query(statement).bind(&id).bind(&into.name).bind(&body.from).execute(&mut *tx).await?;
    }
    forwarder::record(&mut tx, &caller.name, "person.merged", &id).await?;
    tx.commit().await?;
    let person = gateway.app.blocking(move |app| {
        app.gallery.merge(&from.name, &into.name)?;
        find(&app.gallery, &id)
    });
    Ok(Answer(shown(&person.await?)))
}
