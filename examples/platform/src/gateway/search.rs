//! Search by photo.

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use facerec_core::{Candidate, DecisionOptions, DecodeLimits, Embedding, Image};
use serde_json::{Value, json};

use super::Gateway;
use super::enrolments::photo_of;
use crate::app::App;
use crate::error::Result;

/// `POST /v1/search`: the photo is looked at and not kept.
pub(super) async fn search(State(gateway): State<Gateway>, headers: HeaderMap, body: Body) -> Result<Answer<Value>> {
    let photo = photo_of(&gateway, &headers, body).await?;
    // The photo moves along: as many are decoded at the same time as may be in memory.
    gateway.app.blocking(move |app| look(app, &photo.bytes)).await.map(Answer)
}

fn look(app: &App, photo: &[u8]) -> Result<Value> {
    let limits = DecodeLimits::default().max_bytes(app.config.limits.photo_bytes).max_pixels(app.config.limits.photo_pixels);
    let image = Image::decode_with(photo, &limits)?;
    let faces = app.vision.analyzer().embed(&image)?;
    let embeddings: Vec<Embedding> = faces.iter().filter_map(|face| face.embedding.clone()).collect();
    let decisions = app.gallery.identify_many(&embeddings, &DecisionOptions::new(app.vision.identify))?;
    let candidate = |candidate: &Candidate| json!({"person_id": candidate.person.to_string(), "person": candidate.name, "similarity": candidate.similarity});
    let shown = faces.iter().zip(decisions).map(|(face, decision)| {
        let rect = face.detection.rect;
        json!({
            "box": [rect.x1, rect.y1, rect.x2, rect.y2], "score": face.detection.score,
            "person_id": decision.person.map(|id| id.to_string()), "person": decision.name,
            "similarity": decision.similarity, "threshold": decision.threshold, "margin": decision.margin,
            "reason": decision.reason.code(), "candidates": decision.candidates.iter().map(candidate).collect::<Vec<_>>(),
        })
    });
    Ok(json!({"width": image.width(), "height": image.height(), "faces": shown.collect::<Vec<_>>()}))
}
