//! `facerec gallery duplicates` and `audit`: who may be enrolled under two names, and who changed what.

use facerec_core::{Error, Gallery, ModelCatalog};
use serde_json::json;

use super::exit::{InGallery, InModels, Outcome};
use super::options::Global;
use super::output::Output;
use super::record::{count, round};

pub(super) fn audit(gallery: &Gallery, after: i64, limit: usize, output: &mut Output) -> Outcome<()> {
    for entry in gallery.audit(after, limit).in_gallery()? {
        let persons: Vec<i64> = entry.persons.iter().map(|id| id.0).collect();
        let faces: Vec<i64> = entry.faces.iter().map(|id| id.0).collect();
        let (people, number) = (count(persons.len(), "person", "people"), count(faces.len(), "face", "faces"));
        let record = json!({
            "id": entry.id, "at_ms": entry.at_ms, "actor": entry.actor, "action": entry.action, "persons": persons, "faces": faces,
        });
        let text = format_args!("{:<6} {}  {:<8} {people}, {number}, by {}\n", entry.id, entry.at_ms, entry.action, entry.actor);
        output.emit(&record, text)?;
    }
    Ok(())
}

pub(super) fn duplicates(global: &Global, gallery: &Gallery, threshold: Option<f32>, limit: usize, output: &mut Output) -> Outcome<()> {
    let threshold = match threshold {
        Some(threshold) => threshold,
        None => usual_threshold(global, &gallery.model().id)?,
    };
    let found = gallery.duplicates(threshold, limit).in_gallery()?;
    for pair in &found {
        let record = json!({
            "first": pair.first_name, "second": pair.second_name, "similarity": round(pair.similarity, 4),
            "first_face": pair.first_face.0, "second_face": pair.second_face.0, "supporting_faces": pair.supporting_faces,
        });
        let faces = count(pair.supporting_faces, "face", "faces");
        output.emit(&record, format_args!("{:.2}  {} and {}, by {faces}\n", pair.similarity, pair.first_name, pair.second_name))?;
    }
    let text = format_args!("{} from {threshold:.2}\n", count(found.len(), "pair of people alike", "pairs of people alike"));
    output.emit(&json!({"summary": {"pairs": found.len(), "threshold": round(threshold, 4)}}), text)
}

/// The model's own threshold, from its manifest: its weights are not needed.
fn usual_threshold(global: &Global, model: &str) -> Outcome<f32> {
    let catalog = ModelCatalog::from_env(&global.models).in_models()?;
    let known = catalog.model(model).ok().and_then(|manifest| manifest.embed.as_ref()?.thresholds.fmr_1e4);
    let missing = || Error::InvalidArgument { name: "threshold", reason: format!("expected `--threshold`: none is known for `{model}`") };
    Ok(known.ok_or_else(missing)?)
}
