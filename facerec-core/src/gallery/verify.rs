//! Compares everything a gallery holds with everything else it holds. It repairs nothing.

use std::collections::HashSet;

use super::index::Vectors;
use super::live::Live;
use super::records::{FaceId, VerifyReport};
use super::rows::vector_values;
use super::source::Source;
use super::store::Checked;
use crate::error::{Error, Result};

/// Problems that are listed one by one; the rest is counted.
const MAX_LISTED: usize = 100;
/// How far the length of a stored vector may be from 1: vectors are normalised in f64 and rounded to f32.
const UNIT_TOLERANCE: f64 = 1e-3;

/// Compares the database with itself, with its rows' checksums and with the index in memory. `problems` are those that the
/// database found itself.
pub(super) fn verify(snapshot: &dyn Source, mut problems: Vec<String>, live: Option<&Live>) -> Result<VerifyReport> {
    let mut faces = 0;
    match compare(snapshot, live, &mut problems, &mut faces) {
        Err(Error::GalleryCorrupt { reason, .. }) => problems.push(reason),
        other => other?,
    }
    if problems.len() > MAX_LISTED {
        let more = problems.split_off(MAX_LISTED).len();
        problems.push(format!("and {more} more"));
    }
    Ok(VerifyReport { faces, problems })
}

fn compare(snapshot: &dyn Source, live: Option<&Live>, problems: &mut Vec<String>, faces: &mut usize) -> Result<()> {
    let state = snapshot.state()?;
    let mut people = HashSet::new();
    let mut persons = 0;
    snapshot.each_person(&mut |row| {
        persons += 1;
        match row {
            Checked::Good(person) => drop(people.insert(person.id)),
            Checked::Damaged(id) => problems.push(format!("person {id} does not match its checksum")),
        }
        Ok(())
    })?;
    // Both sides are in the order of face ids: they are walked together.
    let mut owners = live.map(|live| live.owners.iter().enumerate().peekable());
    let rows = live.and_then(|live| live.vectors.as_ref()).map(Vectors::rows);
    let mut with_faces = HashSet::new();
    let mut damaged = 0;
    let mut unknown = 0;
    snapshot.each_entry(&mut |row| {
        if let Checked::Damaged(id) = row {
            unknown += 1;
            problems.push(format!("audit entry {id} does not match its checksum"));
        }
        Ok(())
    })?;
    snapshot.each_face(&mut |row| {
        *faces += 1;
        let id = row.id();
        let mut indexed = None;
        if let Some(owners) = &mut owners {
            while let Some((_, owner)) = owners.next_if(|(_, owner)| owner.0.0 < id) {
                problems.push(format!("face {} is in the index and not in the database", owner.0));
            }
            indexed = owners.next_if(|(_, owner)| owner.0.0 == id);
            let expired = live.is_some_and(|live| live.is_expired(FaceId(id)));
            if indexed.is_none() && !expired && matches!(row, Checked::Good(_)) {
                problems.push(format!("face {id} is not in the index"));
            }
        }
        let Checked::Good(face) = row else {
            damaged += 1;
            problems.push(format!("face {id} does not match its checksum"));
            return Ok(());
        };
        with_faces.insert(face.person);
        if !people.contains(&face.person) {
            problems.push(format!("face {id} belongs to person {}, who is not intact", face.person));
        }
        let length = vector_values(face.vector).map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        if face.vector.len() != state.dim * 4 || (length - 1.0).abs() > UNIT_TOLERANCE {
            problems.push(format!("face {id} has a vector of {} bytes and length {length}", face.vector.len()));
        }
        if let (Some((position, owner)), Some(rows)) = (indexed, &rows) {
            let vector = rows.get(position).unwrap_or_default();
            let same =
                vector.len() * 4 == face.vector.len() && vector_values(face.vector).zip(vector).all(|(a, b)| a.to_bits() == b.to_bits());
            if !same || owner.1 != face.person {
                problems.push(format!("face {id} is another one in the index"));
            }
        }
        Ok(())
    })?;
    for (_, owner) in owners.into_iter().flatten() {
        problems.push(format!("face {} is in the index and not in the database", owner.0));
    }
    // Whose face a damaged row is, nobody knows.
    for person in people.difference(&with_faces).filter(|_| damaged == 0) {
        problems.push(format!("person {person} has no face"));
    }
    if (*faces as u64, persons) != (state.faces, state.persons) {
        problems.push(format!("{faces} faces and {persons} people are there, {} and {} should be", state.faces, state.persons));
    }
    // A damaged row's mark is unknown, and said above.
    if damaged == 0
        && unknown == 0
        && persons == people.len() as u64
        && state.marks.is_some_and(|marks| snapshot.marks().is_ok_and(|m| m != Some(marks)))
    {
        problems.push("rows were taken away or exchanged for older ones".into());
    }
    Ok(())
}
