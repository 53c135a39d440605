//! Photos into the gallery.

use bytes::Bytes;
use facerec_core::enroll::enroll_faces;
use facerec_core::{DecodeLimits, EnrollOptions, Enrolment, Face, FaceId, Gallery, Image, Rect};
use sqlx::Row as _;

use super::{check_attempts, holding, report, serve};
use crate::app::App;
use crate::error::{Error, Result};
use crate::jobs::{self, Claim, Kind};
use crate::people;
use crate::results::What;

/// Enrols photos until the process is to end.
pub async fn enrolment(app: App, number: usize) {
    serve(app, Kind::Enrol, number, |app, claim| async move { holding(&app, &claim, || {}, enrol(&app, &claim)).await }).await;
}

async fn enrol(app: &App, claim: &Claim) -> Result<()> {
    check_attempts(app, claim)?;
    let gone = || Error::Core(facerec_core::Error::Cancelled);
    let row = sqlx::query("SELECT file FROM photo WHERE id = $1").bind(&claim.id).fetch_optional(app.db.pool()).await?;
    let file: Option<String> = row.ok_or_else(gone)?.try_get("file")?;
    let missing = || Error::Invalid("the photo is gone".into());
    let photo = app.blobs.get(&file.ok_or_else(missing)?).await?.ok_or_else(missing)?;
    let Some((image, faces)) = app.blocking(move |app| look(app, &photo)).await? else {
        return report(app, claim, What::Rejected { reason: "decode_image".into() }).await;
    };
    // From here on nobody is renamed, merged or forgotten, and no other attempt can begin.
    let mut tx = people::watching(&app.db).await?;
    if jobs::counts(&mut tx, claim).await?.is_none() {
        return Err(gone());
    }
    let person: String = sqlx::query_scalar("SELECT person FROM photo WHERE id = $1").bind(&claim.id).fetch_one(&mut *tx).await?;
    people::check_free(app, &mut tx, &person).await?;
    let id = claim.id.clone();
    let (what, picture) = app.blocking(move |app| add(app, &id, &person, &image, faces)).await?;
    if let (What::Accepted { face_id, .. }, Some(picture)) = (&what, picture) {
        app.blobs.put(&format!("faces/{face_id}"), picture).await?;
    }
    let held = tx.commit().await;
    if let What::Accepted { face_id, .. } = &what {
        take_back(app, claim, face_id).await?;
    }
    held?;
    report(app, claim, what).await
}

/// The lock ends with its connection, which may have broken: a face that was added for a photo that is gone must not stay behind.
async fn take_back(app: &App, claim: &Claim, face: &str) -> Result<()> {
    let there = sqlx::query("SELECT id FROM photo WHERE id = $1").bind(&claim.id).fetch_optional(app.db.pool()).await?.is_some();
    if let (false, Ok(number)) = (there, face.parse()) {
        app.blobs.remove(&format!("faces/{face}")).await?;
        app.blocking(move |app| Ok(app.gallery.remove_face(FaceId(number))?)).await?;
        return Err(Error::Core(facerec_core::Error::Cancelled));
    }
    Ok(())
}

/// Decodes, detects, judges and embeds; `None` when it is no picture.
fn look(app: &App, photo: &[u8]) -> Result<Option<(Image, Vec<Face>)>> {
    let limits = DecodeLimits::default().max_bytes(app.config.limits.photo_bytes).max_pixels(app.config.limits.photo_pixels);
    let Ok(image) = Image::decode_with(photo, &limits) else { return Ok(None) };
    let faces = app.vision.analyzer().embed(&image)?;
    Ok(Some((image, faces)))
}

/// Adds the face to the person, when it is good enough; with its picture.
fn add(app: &App, id: &str, person: &str, image: &Image, faces: Vec<Face>) -> Result<(What, Option<Bytes>)> {
    // An earlier attempt may have got as far as the gallery and died before it could say so.
    if let Some((person_id, face_id)) = enrolled_from(&app.gallery, person, id)? {
        let face = faces.iter().map(|face| face.detection.rect).max_by(|a, b| a.area().total_cmp(&b.area()));
        let picture = face.map(|rect| portrait(image, &rect)).transpose()?;
        return Ok((What::Accepted { person_id, face_id }, picture));
    }
    let options = EnrollOptions::default().gate(app.config.quality_gate()?).source(source(id));
    match enroll_faces(&app.gallery, person, faces, app.vision.compare, &options)? {
        Enrolment::Accepted { face, .. } => {
            let (person_id, face_id) =
                enrolled_from(&app.gallery, person, id)?.ok_or_else(|| Error::Internal("an enrolled face is not in the gallery".into()))?;
            Ok((What::Accepted { person_id, face_id }, Some(portrait(image, &face.detection.rect)?)))
        }
        Enrolment::Rejected { reason, .. } => Ok((What::Rejected { reason: reason.code().into() }, None)),
        other => Err(Error::Internal(format!("an outcome of enrolment that is not known here: {other:?}"))),
    }
}

/// What the gallery calls a face that came from this photo.
fn source(photo: &str) -> String {
    format!("photo:{photo}")
}

/// The person and face that came from a photo. Of two, which two workers at the same time may have made, the first stays.
///
/// # Errors
/// The gallery's.
pub fn enrolled_from(gallery: &Gallery, person: &str, photo: &str) -> Result<Option<(String, String)>> {
    let faces = match gallery.faces(person) {
        Ok(faces) => faces,
        Err(error) if error.kind().code() == "person_not_found" => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let source = source(photo);
    let mut ours = faces.into_iter().filter(|face| face.source.as_deref() == Some(&source));
    let Some(first) = ours.next() else { return Ok(None) };
    let rest: Vec<FaceId> = ours.map(|face| face.id).collect();
    for face in rest {
        gallery.remove_face(face)?;
    }
    Ok(Some((first.person.to_string(), first.id.to_string())))
}

/// The face with some surroundings as a small JPEG.
pub(super) fn portrait(image: &Image, face: &Rect) -> Result<Bytes> {
    let (wide, high) = (face.width() * 0.35, face.height() * 0.35);
    let around = Rect::new(face.x1 - wide, face.y1 - high, face.x2 + wide, face.y2 + high).clamp(image.width(), image.height());
    Ok(image.crop(&around)?.fit(240)?.encode_jpeg(88)?.into())
}
