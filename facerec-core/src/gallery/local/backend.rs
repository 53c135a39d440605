//! What a gallery can do, for one in a folder.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Local;
use crate::error::{Error, Result};
use crate::face::{Embedding, ModelKey};
use crate::gallery::audit::Action;
use crate::gallery::backend::Backend;
use crate::gallery::decision::Candidate;
use crate::gallery::filter::SearchFilter;
use crate::gallery::index::IndexKind;
use crate::gallery::key::GalleryKey;
use crate::gallery::live::{Live, Owner};
use crate::gallery::records::{AuditEntry, FaceId, FaceRecord, GalleryStats, ImportReport, Match, NewFace, Person, PersonId, VerifyReport};
use crate::gallery::rows::{FaceRow, vector_bytes, vector_values};
use crate::gallery::source::LocalSink;
use crate::gallery::store::{Checked, now_ms};
use crate::gallery::{saved, transfer, verify};
use crate::text::{canonical_name, escape};

impl Local {
    /// Visits the faces of a person but for those whose time has come.
    fn each_face_of(&self, name: &str, mut visit: impl FnMut(FaceRow<'_>) -> Result<()>) -> Result<()> {
        let (people, now) = (self.ids_of(self.person(name)?.id), now_ms());
        let mut each = |row: Checked<FaceRow<'_>>| match self.intact(row, "face")?.filter(|face| !face.is_expired(now)) {
            Some(face) => visit(face),
            None => Ok(()),
        };
        self.db().store.snapshot(|snapshot| people.iter().try_for_each(|&person| snapshot.scan_faces_of(person, &mut each)))
    }

    /// The person, and whoever has the same name in another spelling.
    fn ids_of(&self, person: PersonId) -> Vec<PersonId> {
        self.live().names.namesakes(person)
    }

    /// People as they are stored, those of one name as one.
    fn united(people: Vec<Person>) -> Vec<Person> {
        if people.iter().all(|person| canonical_name(&person.name) == person.name) {
            return people;
        }
        let mut united: BTreeMap<String, Person> = BTreeMap::new();
        for mut person in people {
            person.name = canonical_name(&person.name).into_owned();
            match united.entry(person.name.clone()) {
                Entry::Vacant(place) => drop(place.insert(person)),
                Entry::Occupied(mut place) => {
                    let one = place.get_mut();
                    one.id = one.id.min(person.id);
                    one.created_ms = one.created_ms.min(person.created_ms);
                    one.faces += person.faces;
                }
            }
        }
        united.into_values().collect()
    }
}

impl Backend for Local {
    fn location(&self) -> &Path {
        &self.folder
    }

    fn model(&self) -> &Arc<ModelKey> {
        &self.model
    }

    fn add_many(&self, faces: &[(&str, NewFace<'_>)]) -> Result<Vec<FaceId>> {
        self.change(Action::Add, |edit| {
            let mut ids = Vec::with_capacity(faces.len());
            for (person, face) in faces {
                self.check_model(face.embedding)?;
                face.check()?;
                let (person, _) = edit.person(person)?;
                ids.push(edit.add_face(FaceRow {
                    id: FaceId(0),
                    person,
                    vector: &vector_bytes(face.embedding.as_slice()),
                    quality: face.quality,
                    source: face.source,
                    digest: face.digest,
                    metadata: face.metadata,
                    created_ms: 0,
                    expires_ms: face.expires_ms,
                    mark: 0,
                })?);
            }
            Ok(ids)
        })
    }

    fn remove_person(&self, name: &str) -> Result<usize> {
        self.remove(Action::Remove, |edit| match edit.find_person(name)? {
            Some(person) => edit.remove_person(person).map(|faces| (faces, true)),
            None => Err(Error::PersonNotFound { person: name.into() }),
        })
    }

    fn remove_face(&self, face: FaceId) -> Result<bool> {
        self.remove(Action::Remove, |edit| edit.remove_face(face).map(|removed| (removed, removed)))
    }

    fn rename(&self, name: &str, new_name: &str) -> Result<()> {
        self.remove(Action::Rename, |edit| {
            let person = edit.find_person(name)?.ok_or_else(|| Error::PersonNotFound { person: name.into() })?;
            match edit.find_person(new_name)? {
                Some(other) if other == person => Ok(((), false)),
                Some(_) => Err(Error::argument("new_name", format!("expected a name that nobody has, got `{}`", escape(new_name)))),
                None => edit.rename(person, new_name).map(|()| ((), true)),
            }
        })
    }

    fn merge(&self, from: &str, into: &str) -> Result<usize> {
        self.remove(Action::Merge, |edit| {
            let mut find = |name: &str| edit.find_person(name)?.ok_or_else(|| Error::PersonNotFound { person: name.into() });
            let (from, into) = (find(from)?, find(into)?);
            let faces = edit.faces_of(from)?;
            edit.move_faces(&faces, into)?;
            Ok((faces.len(), true))
        })
    }

    fn split(&self, person: &str, faces: &[FaceId], into: &str) -> Result<usize> {
        self.remove(Action::Split, |edit| {
            let from = edit.find_person(person)?.ok_or_else(|| Error::PersonNotFound { person: person.into() })?;
            let own: BTreeSet<FaceId> = edit.faces_of(from)?.into_iter().collect();
            if let Some(other) = faces.iter().find(|face| !own.contains(face)) {
                return Err(Error::argument(
                    "faces",
                    format!("expected faces of `{}`, got `{other}`, which is none of theirs", escape(person)),
                ));
            }
            let faces: BTreeSet<FaceId> = faces.iter().copied().collect();
            let (into, _) = edit.person(into)?;
            edit.move_faces(&faces.iter().copied().collect::<Vec<_>>(), into)?;
            // With the last face the person goes.
            Ok((faces.len(), faces.len() == own.len()))
        })
    }

    fn persons(&self) -> Result<Vec<Person>> {
        let persons = self.db().store.snapshot(|snapshot| snapshot.persons(now_ms()))?;
        let people = persons.into_iter().filter_map(|person| self.intact(person, "person").transpose()).collect::<Result<Vec<_>>>()?;
        Ok(Self::united(people))
    }

    fn person(&self, name: &str) -> Result<Person> {
        // No index of the database has names: the state in memory knows the id.
        let id = self.current()?.names.find(name);
        let person = id.map_or(Ok(None), |id| self.person_by_id(id))?;
        // Somebody may have renamed them between the two.
        person.filter(|person| person.name == name).ok_or_else(|| Error::PersonNotFound { person: name.into() })
    }

    fn person_by_id(&self, person: PersonId) -> Result<Option<Person>> {
        let ids = self.ids_of(person);
        let found = self.db().store.snapshot(|snapshot| ids.iter().map(|&id| snapshot.person(id, now_ms())).collect::<Result<Vec<_>>>())?;
        let people =
            found.into_iter().flatten().filter_map(|person| self.intact(person, "person").transpose()).collect::<Result<Vec<_>>>()?;
        Ok(Self::united(people).pop())
    }

    fn faces(&self, name: &str) -> Result<Vec<FaceRecord>> {
        let mut faces = Vec::new();
        self.each_face_of(name, |face| {
            faces.push(face.record());
            Ok(())
        })?;
        faces.sort_by_key(|face| face.id);
        Ok(faces)
    }

    fn embedding(&self, face: FaceId) -> Result<Option<Embedding>> {
        let (now, mut vector) = (now_ms(), None);
        self.db().store.snapshot(|snapshot| {
            snapshot.face(face, |row| {
                let face = self.intact(row, "face")?.filter(|face| !face.is_expired(now));
                vector = face.map(|face| vector_values(face.vector).collect::<Vec<_>>());
                Ok(())
            })
        })?;
        vector.map(|vector| Embedding::new(Arc::clone(&self.model), vector)).transpose()
    }

    fn vectors(&self, name: &str) -> Result<Vec<(FaceId, Embedding)>> {
        let mut vectors = Vec::new();
        self.each_face_of(name, |face| {
            vectors.push((face.id, Embedding::new(Arc::clone(&self.model), vector_values(face.vector).collect())?));
            Ok(())
        })?;
        Ok(vectors)
    }

    fn stats(&self) -> Result<GalleryStats> {
        // Somebody may have made one person of several meanwhile.
        let respelt = self.live().names.any_respelt();
        let doubles = if respelt { self.current()?.names.doubles() } else { 0 };
        let (state, gone) = self.db().store.snapshot(|snapshot| Ok((snapshot.state()?, snapshot.expired(now_ms())?)))?;
        let read = |e| Error::io("read", &self.folder, e);
        let mut bytes_on_disk = 0;
        for entry in std::fs::read_dir(&self.folder).map_err(read)? {
            // A file may go between the listing and the question for its size.
            bytes_on_disk += entry.map_err(read)?.metadata().map_or(0, |data| data.len());
        }
        let (base, tombstones) = {
            let live = self.live();
            (live.base.clone(), live.tombstones())
        };
        Ok(GalleryStats {
            persons: (state.persons as usize).saturating_sub(gone.people + doubles),
            faces: (state.faces as usize).saturating_sub(gone.faces),
            dim: Some(state.dim).filter(|&dim| dim > 0),
            model: state.model.id,
            model_hash: state.model.hash,
            index_kind: base.as_ref().map_or(IndexKind::Flat, |base| base.kind()).label().into(),
            recall: Some(base.as_ref().map_or(1.0, |base| base.recall())),
            tombstones,
            index_bytes_per_face: state.dim * size_of::<f32>() + size_of::<Owner>() + base.map_or(0, |base| base.bytes_per_face()),
            index_building: self.building.load(Ordering::Acquire),
            bytes_on_disk,
            generation: state.generation,
            encrypted: self.db().store.cipher().is_some(),
        })
    }

    fn verify(&self) -> Result<VerifyReport> {
        // All of it from one state of the database; `db` is held, so that nobody else applies anything meanwhile.
        let db = self.db();
        let live = self.live().clone();
        let (report, done) = db.store.snapshot(|snapshot| {
            let mut live = live;
            let changed = live.point().changes(snapshot, None).and_then(|changes| live.apply(changes, &self.folder, true));
            let current = match changed {
                Ok(()) => Some(&live),
                Err(Error::GalleryCorrupt { .. }) => None,
                Err(other) => return Err(other),
            };
            let report = verify::verify(snapshot, snapshot.integrity_problems()?, current)?;
            Ok((report, current.is_some()))
        })?;
        if !done || (!self.salvage && !report.problems.is_empty()) {
            // Damaged rows were left out above: the next search must not quietly do without them.
            *self.live_mut() = Live::empty();
            self.stale.store(true, Ordering::Release);
        }
        Ok(report)
    }

    fn compact(&self) -> Result<()> {
        self.writable()?;
        let mut db = self.db();
        self.purge_in(&mut db)?;
        db.leftovers = !db.store.tidy()?;
        // What is being built was planned before now.
        while self.building.load(Ordering::Acquire) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let plan = self.live_mut().plan_fresh(self.kind);
        if let Some(plan) = plan {
            let base = plan.build(&self.cancel)?;
            self.live_mut().install(Arc::new(base), &plan.line);
        }
        self.save(&mut db)
    }

    fn export(&self, out: &mut dyn Write) -> Result<usize> {
        self.db().store.snapshot(|snapshot| transfer::export(snapshot, self.salvage, out))
    }

    fn import(&self, input: &mut dyn BufRead) -> Result<ImportReport> {
        self.change(Action::Import, |edit| transfer::import(&mut LocalSink::new(edit), &self.model, input))
    }

    fn export_person(&self, name: &str, out: &mut dyn Write) -> Result<usize> {
        let person = self.person(name)?;
        let ids = self.ids_of(person.id);
        self.db().store.snapshot(|snapshot| transfer::export_person(snapshot, &person, &ids, self.salvage, out))
    }

    fn purge_expired(&self) -> Result<usize> {
        self.writable()?;
        self.purge_in(&mut self.db())
    }

    fn set_key(&self, key: Option<GalleryKey>) -> Result<()> {
        self.writable()?;
        let mut db = self.db();
        self.purge_in(&mut db)?;
        // It is readable without a key, or for the old one.
        saved::discard(&self.folder)?;
        db.saved = false;
        db.store.set_key(key, &self.actor)?;
        let done = db.store.tidy();
        db.leftovers = !matches!(done, Ok(true));
        self.catch_up(&db)?;
        if !done? {
            tracing::warn!(gallery = %self.folder.display(), "what the old key opens stays in the log until no reader is in the way");
        }
        Ok(())
    }

    fn audit(&self, after_id: i64, limit: usize) -> Result<Vec<AuditEntry>> {
        let mut entries = Vec::new();
        self.db().store.snapshot(|snapshot| {
            snapshot.scan_audit(after_id, limit, |row| {
                entries.extend(self.intact(row, "audit entry")?.map(|entry| entry.entry()));
                Ok(())
            })
        })?;
        Ok(entries)
    }

    fn search(&self, queries: &[Embedding], k: usize, filter: &SearchFilter) -> Result<Vec<Vec<Match>>> {
        let (live, among) = self.current_among(filter)?;
        let queries: Vec<&Embedding> = queries.iter().collect();
        self.search_in(&live, among.as_deref().map(Vec::as_slice), &queries, k)
    }

    fn best_people(&self, queries: &[Embedding], wanted: usize, filter: &SearchFilter) -> Result<Vec<Vec<Candidate>>> {
        self.people_like(queries, wanted, filter)
    }
}
