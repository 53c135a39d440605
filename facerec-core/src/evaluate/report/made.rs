//! Made folders and faces for the tests: a face is a direction in a plane, given by its angle.

use std::path::PathBuf;
use std::sync::Arc;

use super::sample::{Folder, Sample};
use crate::face::{Detection, Embedding, Face, ModelKey, Quality};
use crate::geometry::{Landmarks, Rect};

/// People `p0`, `p1`, ... with so many photos each.
pub(super) fn folder_of(photos: &[usize]) -> Folder {
    let mut folder = Folder::default();
    for (person, &count) in photos.iter().enumerate() {
        let start = folder.photos.len();
        folder.people.push(format!("p{person}"));
        folder.photos.extend((0..count).map(|n| PathBuf::from(format!("p{person}/{n}.png"))));
        folder.person_of.extend(std::iter::repeat_n(person, count));
        folder.photos_of.push(start..start + count);
    }
    folder
}

/// Faces at these angles in degrees, all of quality 0.5; `None` is a photo without a face.
pub(super) fn sample_of(degrees: &[Option<f32>]) -> Sample {
    let key = Arc::new(ModelKey::new("made", "0"));
    Sample::new(degrees.iter().map(|degrees| degrees.map(|degrees| face(&key, degrees, 0.5))).collect())
}

/// Faces at these angles in degrees, of these qualities.
pub(super) fn sample_with(faces: &[(f32, f32)]) -> Sample {
    let key = Arc::new(ModelKey::new("made", "0"));
    Sample::new(faces.iter().map(|&(degrees, quality)| Some(face(&key, degrees, quality))).collect())
}

fn face(key: &Arc<ModelKey>, degrees: f32, score: f32) -> Face {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let quality = Quality {
        score,
        sharpness: 1.0,
        yaw_deg: 0.0,
        pitch_deg: 0.0,
        roll_deg: 0.0,
        face_px: 100.0,
        exposure: 0.5,
        recognisability: None,
    };
    Face {
        detection: Detection { rect: Rect::new(0.0, 0.0, 1.0, 1.0), score: 1.0, landmarks: Landmarks::default() },
        quality: Some(quality),
        embedding: Some(Embedding::new(Arc::clone(key), vec![cos, sin]).expect("a direction")),
    }
}
