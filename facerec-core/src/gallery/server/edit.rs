//! Changes: what a transaction may do. Many processes change one gallery at a time; people are locked while their faces change, in
//! the order of their ids, so that nobody waits in a circle.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use super::change::Change;
use super::failure::Failure;
use super::rows::{FACE, FaceColumns, OwnedFace, ROWS_AT_ONCE};
use super::schema;
use super::tx::Tx;
use crate::error::{Error, Result};
use crate::gallery::audit::Action;
use crate::gallery::records::{FaceId, NewFace, PersonId};
use crate::gallery::rows::{FaceRow, PersonRow, vector_bytes};
use crate::gallery::store::Checked;
use crate::text::{canonical_name, escape};

/// Looks at the people of a change before it gives up: each look finds those whom others enrolled or removed meanwhile.
const LOOKS: usize = 10;

/// A result, and what was changed for it.
pub(super) type Edited<T> = Result<(T, Option<Change>), Failure>;

/// Milliseconds since 1970 by this machine's clock.
pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// `count` new ids.
pub(super) fn new_ids(tx: &mut Tx<'_>, sequence: &str, count: usize) -> Result<Vec<i64>, Failure> {
    let rows = tx.query(&format!("SELECT nextval('gallery.{sequence}') FROM generate_series(1, $1::bigint)"), &[&(count as i64)])?;
    let mut ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// The ids of people, and whether they are new; those whom nobody knows are created. They cannot be removed until the transaction ends.
pub(super) fn people<'n>(
    tx: &mut Tx<'_>,
    names: impl IntoIterator<Item = &'n str>,
    change: &mut Change,
) -> Result<HashMap<String, (PersonId, bool)>, Failure> {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    let mut created: Vec<i64> = Vec::new();
    for _ in 0..LOOKS {
        let rows = tx.query("SELECT id, name FROM gallery.persons WHERE name = ANY($1) ORDER BY id FOR KEY SHARE", &[&names])?;
        if rows.len() == names.len() {
            let entry = |row: &Row| (row.get(1), (PersonId(row.get(0)), created.contains(&row.get(0))));
            return Ok(rows.iter().map(entry).collect());
        }
        let known: Vec<&str> = rows.iter().map(|row| row.get(1)).collect();
        let missing: Vec<&str> = names.iter().copied().filter(|name| !known.contains(name)).collect();
        let ids = new_ids(tx, "person_ids", missing.len())?;
        let created_ms = now_ms();
        let checksum = |(&id, &name): (&i64, &&str)| PersonRow { row: id, id: PersonId(id), name, created_ms, mark: 0 }.checksum();
        let checksums: Vec<i64> = ids.iter().zip(&missing).map(checksum).collect();
        // Somebody else may be creating one of them just now: this waits for them, and the next look finds theirs.
        let sql = "INSERT INTO gallery.persons (id, name, created_ms, checksum) SELECT a, b, $3, c FROM unnest($1::bigint[], $2::text[], $4::bigint[]) \
                   people (a, b, c) ON CONFLICT (name) DO NOTHING RETURNING id, checksum";
        for row in tx.query(sql, &[&ids, &missing, &created_ms, &checksums])? {
            created.push(row.get(0));
            change.person_row(1, row.get(1));
        }
    }
    Err(Failure::collision(tx.place()))
}

/// Enrols faces, all of vectors of `dim` values; returns their ids.
pub(super) fn add(tx: &mut Tx<'_>, faces: &[(&str, NewFace<'_>)], dim: usize) -> Edited<Vec<FaceId>> {
    let mut change = Change::new(Action::Add);
    schema::fix_dim(tx, dim)?;
    let people = people(tx, faces.iter().map(|(name, _)| *name), &mut change)?;
    let ids = new_ids(tx, "face_ids", faces.len())?;
    let created_ms = now_ms();
    for (ids, faces) in ids.chunks(ROWS_AT_ONCE).zip(faces.chunks(ROWS_AT_ONCE)) {
        let mut columns = FaceColumns::new(dim);
        for (&id, (name, face)) in ids.iter().zip(faces) {
            let vector = face.embedding.as_slice();
            let &(person, _) = people.get(*name).ok_or_else(|| Error::internal("a person who was just found is missing"))?;
            let row = FaceRow {
                id: FaceId(id),
                person,
                vector: &vector_bytes(vector),
                quality: face.quality,
                source: face.source,
                digest: face.digest,
                metadata: face.metadata,
                created_ms,
                expires_ms: face.expires_ms,
                mark: 0,
            };
            change.persons.insert(person.0);
            change.faces.insert(id);
            change.face_row(1, columns.push(vector, &row));
        }
        columns.insert(tx)?;
    }
    Ok((ids.into_iter().map(FaceId).collect(), change.made()))
}

/// Locks a person against everything else: nobody adds to them or removes from them until the transaction ends.
pub(super) fn lock_person(tx: &mut Tx<'_>, name: &str) -> Result<PersonId, Failure> {
    let found = tx.query("SELECT id FROM gallery.persons WHERE name = $1 FOR UPDATE", &[&name])?;
    match found.first() {
        Some(row) => Ok(PersonId(row.get(0))),
        None => Err(Error::PersonNotFound { person: name.into() }.into()),
    }
}

/// Removes a person with all faces; returns how many there were.
pub(super) fn remove_person(tx: &mut Tx<'_>, name: &str) -> Edited<usize> {
    let person = lock_person(tx, name)?.0;
    let mut change = Change::new(Action::Remove);
    change.persons.insert(person);
    for row in tx.query("DELETE FROM gallery.faces WHERE person = $1 RETURNING id, checksum", &[&person])? {
        change.faces.insert(row.get(0));
        change.face_row(-1, row.get(1));
    }
    for row in tx.query("DELETE FROM gallery.persons WHERE id = $1 RETURNING checksum", &[&person])? {
        change.person_row(-1, row.get(0));
    }
    Ok((change.faces.len(), change.made()))
}

/// Removes a face, and its person when it was the last one. `false` when there is no such face.
pub(super) fn remove_face(tx: &mut Tx<'_>, face: FaceId) -> Edited<bool> {
    let found = tx.query("SELECT person FROM gallery.faces WHERE id = $1", &[&face.0])?;
    let Some(person) = found.first().map(|row| row.get::<_, i64>(0)) else { return Ok((false, None)) };
    let mut change = Change::new(Action::Remove);
    if remove_faces(tx, vec![person], vec![face.0], &mut change)? == 0 {
        // Somebody removed it, or gave it to another person, before the lock was ours.
        return Err(Failure::collision(tx.place()));
    }
    Ok((true, change.made()))
}

/// Whether the time of a face has come.
pub(super) fn any_expired(tx: &mut Tx<'_>) -> Result<bool, Failure> {
    Ok(!tx.query("SELECT FROM gallery.faces WHERE expires_ms <= $1 LIMIT 1", &[&now_ms()])?.is_empty())
}

/// Removes every face whose time has come; returns how many.
pub(super) fn remove_expired(tx: &mut Tx<'_>) -> Edited<usize> {
    let rows = tx.query("SELECT id, person FROM gallery.faces WHERE expires_ms <= $1", &[&now_ms()])?;
    if rows.is_empty() {
        return Ok((0, None));
    }
    let (faces, mut people): (Vec<i64>, Vec<i64>) = rows.iter().map(|row| (row.get::<_, i64>(0), row.get::<_, i64>(1))).unzip();
    people.sort_unstable();
    people.dedup();
    let mut change = Change::new(Action::Expire);
    Ok((remove_faces(tx, people, faces, &mut change)?, change.made()))
}

/// Removes faces of people, and those of the people who have lost their last one. Returns how many faces were still theirs.
fn remove_faces(tx: &mut Tx<'_>, people: Vec<i64>, faces: Vec<i64>, change: &mut Change) -> Result<usize, Failure> {
    tx.execute("SELECT FROM gallery.persons WHERE id = ANY($1) ORDER BY id FOR UPDATE", &[&people])?;
    let sql = "DELETE FROM gallery.faces WHERE id = ANY($1) AND person = ANY($2) RETURNING id, person, checksum";
    let gone = tx.query(sql, &[&faces, &people])?;
    for row in &gone {
        change.faces.insert(row.get(0));
        change.persons.insert(row.get(1));
        change.face_row(-1, row.get(2));
    }
    remove_empty(tx, &people, change)?;
    Ok(gone.len())
}

/// Removes those of `people` who have no face left.
fn remove_empty(tx: &mut Tx<'_>, people: &Vec<i64>, change: &mut Change) -> Result<(), Failure> {
    let sql = "DELETE FROM gallery.persons p WHERE id = ANY($1) AND NOT EXISTS (SELECT FROM gallery.faces WHERE person = p.id) \
               RETURNING checksum";
    for row in tx.query(sql, &[people])? {
        change.person_row(-1, row.get(0));
    }
    Ok(())
}

/// Gives a person another name.
pub(super) fn rename(tx: &mut Tx<'_>, name: &str, new_name: &str) -> Edited<()> {
    let person = lock_person(tx, name)?;
    if name == new_name {
        return Ok(((), None));
    }
    let mut change = Change::new(Action::Rename);
    change.persons.insert(person.0);
    match spell(tx, person, new_name, &mut change) {
        Err(Failure { code: Some(SqlState::UNIQUE_VIOLATION), .. }) => {
            Err(Error::argument("new_name", format!("expected a name that nobody has, got `{}`", escape(new_name))).into())
        }
        spelt => spelt.map(|()| ((), change.made())),
    }
}

/// Gives all faces of one person to another, and removes the first; returns how many faces there were.
pub(super) fn merge(tx: &mut Tx<'_>, from: &str, into: &str) -> Edited<usize> {
    let names = vec![from, into];
    let rows = tx.query("SELECT id, name FROM gallery.persons WHERE name = ANY($1) ORDER BY id FOR UPDATE", &[&names])?;
    let find = |name: &str| {
        let found = rows.iter().find(|row| row.get::<_, &str>(1) == name).map(|row| PersonId(row.get(0)));
        found.ok_or_else(|| Error::PersonNotFound { person: name.into() })
    };
    let (from, into) = (find(from)?, find(into)?);
    move_faces(tx, Change::new(Action::Merge), from, None, into)
}

/// Gives some faces of one person to another, who is created when there is none of that name.
pub(super) fn split(tx: &mut Tx<'_>, person: &str, faces: &[FaceId], into: &str) -> Edited<usize> {
    let from = lock_person(tx, person)?;
    let rows = tx.query("SELECT id FROM gallery.faces WHERE person = $1", &[&from.0])?;
    let own: HashSet<i64> = rows.iter().map(|row| row.get(0)).collect();
    if let Some(other) = faces.iter().find(|face| !own.contains(&face.0)) {
        let reason = format!("expected faces of `{}`, got `{other}`, which is none of theirs", escape(person));
        return Err(Error::argument("faces", reason).into());
    }
    let mut change = Change::new(Action::Split);
    let found = people(tx, [into], &mut change)?;
    let &(into, _) = found.get(into).ok_or_else(|| Error::internal("a person who was just found is missing"))?;
    move_faces(tx, change, from, Some(faces), into)
}

/// Gives everybody the canonical spelling of their name. People who then have one name become the first of them, each with an entry of its
/// own in the audit log; the last change is left to be logged by the transaction.
pub(super) fn unite_names(tx: &mut Tx<'_>, actor: &str) -> Edited<()> {
    let mut groups: BTreeMap<String, Vec<(i64, bool)>> = BTreeMap::new();
    for row in tx.query("SELECT id, name FROM gallery.persons ORDER BY id FOR UPDATE", &[])? {
        let (id, name): (i64, &str) = (row.get(0), row.get(1));
        let canonical = canonical_name(name);
        let respelt = canonical != name;
        groups.entry(canonical.into_owned()).or_default().push((id, respelt));
    }
    let (mut changes, mut renamed) = (Vec::new(), Change::new(Action::Rename));
    for (name, people) in groups {
        let Some((&(first, respelt), others)) = people.split_first().filter(|_| people.iter().any(|person| person.1)) else { continue };
        let mut merged = Change::new(Action::Merge);
        for &(other, _) in others {
            if let (_, Some(moved)) = move_faces(tx, Change::new(Action::Merge), PersonId(other), None, PersonId(first))? {
                merged.join(&moved);
                merged.persons.extend(moved.persons);
                merged.faces.extend(moved.faces);
            }
        }
        let change = if others.is_empty() { &mut renamed } else { &mut merged };
        change.persons.insert(first);
        if respelt {
            spell(tx, PersonId(first), &name, change)?;
        }
        changes.extend(merged.made());
    }
    changes.extend(renamed.made());
    let mut last = changes.pop();
    for change in &mut changes {
        change.log(tx, actor)?;
        last.iter_mut().for_each(|last| last.join(change));
    }
    Ok(((), last))
}

/// Stores a name with the checksum that goes with it.
fn spell(tx: &mut Tx<'_>, person: PersonId, name: &str, change: &mut Change) -> Result<(), Failure> {
    let before = tx.one("SELECT created_ms, checksum FROM gallery.persons WHERE id = $1", &[&person.0])?;
    let checksum = PersonRow { row: person.0, id: person, name, created_ms: before.get(0), mark: 0 }.checksum();
    tx.execute("UPDATE gallery.persons SET name = $2, checksum = $3 WHERE id = $1", &[&person.0, &name, &checksum])?;
    change.person_row(-1, before.get(1));
    change.person_row(1, checksum);
    Ok(())
}

/// Gives faces of `from`, who is locked, to `into`: those named, or all. `from` goes with the last one.
fn move_faces(tx: &mut Tx<'_>, mut change: Change, from: PersonId, faces: Option<&[FaceId]>, into: PersonId) -> Edited<usize> {
    change.persons.extend([from.0, into.0]);
    let wanted: Option<Vec<i64>> = faces.map(|faces| faces.iter().map(|face| face.0).collect());
    let sql = format!("SELECT {FACE} FROM gallery.faces f WHERE person = $1 AND ($2::bigint[] IS NULL OR id = ANY($2)) ORDER BY id");
    let (mut ids, mut checksums) = (Vec::new(), Vec::new());
    for face in tx.query(&sql, &[&from.0, &wanted])?.into_iter().map(OwnedFace::new) {
        match face.checked() {
            Checked::Good(face) => {
                let checksum = FaceRow { person: into, ..face }.checksum();
                ids.push(face.id.0);
                checksums.push(checksum);
                change.face_row(-1, face.mark);
                change.face_row(1, checksum);
            }
            // A damaged row must not get a checksum that says it is whole.
            Checked::Damaged(id) => return Err(tx.corrupt(&format!("face {id} does not match its checksum")).into()),
        }
    }
    let sql = "UPDATE gallery.faces f SET person = $1, checksum = moved.checksum FROM unnest($2::bigint[], $3::bigint[]) moved (id, checksum) \
               WHERE f.id = moved.id";
    tx.execute(sql, &[&into.0, &ids, &checksums])?;
    remove_empty(tx, &vec![from.0], &mut change)?;
    change.faces.extend(&ids);
    Ok((ids.len(), change.made()))
}

/// PostgreSQL's texts cannot hold the character 0.
pub(super) fn check_text(source: Option<&str>) -> Result<()> {
    match source {
        Some(text) if text.contains('\0') => {
            Err(Error::argument("source", "expected a text without the character 0 on a server, got one with it"))
        }
        _ => Ok(()),
    }
}
