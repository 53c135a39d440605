//! What a search needs, in memory: the vectors, whose they are, and what people are called.
//!
//! It is brought up to date from the database in one way only, whether the change was made here, by another process, or before
//! the gallery was opened: [`Point::changes`] reads what happened since, while searches go on, and [`Live::apply`] shows it. What
//! was added is read by its ids, which only grow; a generation that removed, renamed or moved compares the ids and reads the names
//! again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::index::{Base, IndexKind, ROUNDING, Vectors};
use super::names::Names;
use super::options::Progress;
use super::records::{FaceId, Match, PersonId};
use super::rows::{State, vector_values};
use super::store::{self, Checked, Snapshot, now_ms};
use crate::error::{Error, Result};

/// Vectors handed to the index at once while it is filled: 8 MB at 512 values.
const ROWS_AT_ONCE: usize = 4096;
/// Most faces that a base is asked for: beyond, comparing all is as fast.
const MAX_FROM_BASE: usize = 512;

/// Whose face it is.
pub(super) type Owner = (FaceId, PersonId);

/// The searchable state of one generation. Cloning shares what is large.
#[derive(Clone)]
pub(super) struct Live {
    /// `None` until the first face is there.
    pub(super) vectors: Option<Vectors>,
    /// Face and person at each position of the vectors; ids ascend.
    pub(super) owners: Arc<Vec<Owner>>,
    pub(super) names: Arc<Names>,
    pub(super) base: Option<Arc<Base>>,
    /// The kind of the last base, which `Auto` stays with.
    pub(super) last_kind: Option<IndexKind>,
    /// The highest face and row of a person that were read.
    last_face: i64,
    last_person: i64,
    /// The XOR of the marks of the rows that were read; of faces, `None` when it is not known any more.
    pub(super) people_mark: i64,
    pub(super) faces_mark: Option<i64>,
    /// When faces expire, in milliseconds since 1970 UTC; some of them may be gone already.
    expiries: BTreeSet<(i64, FaceId)>,
    /// Faces that expired: out of the index, and in the database until a writer deletes them.
    expired: BTreeSet<FaceId>,
    /// The expiries of the faces of a saved index are not read yet.
    expiries_unread: bool,
    /// The database's generation that this shows, and the last before it that was not only an addition.
    pub(super) generation: u64,
    pub(super) rewritten: u64,
    /// Rows left out because they are damaged: only with [`salvage`](super::GalleryOptions::salvage).
    damaged_faces: Vec<FaceId>,
    damaged_people: Vec<PersonId>,
    /// The same for all states that follow from each other.
    line: Arc<()>,
    /// Another one for every state.
    pub(super) version: Arc<()>,
}

/// How far a [`Live`] has read.
pub(super) struct Point {
    owners: Arc<Vec<Owner>>,
    names: Arc<Names>,
    last_face: i64,
    last_person: i64,
    expiries_unread: bool,
    generation: u64,
}

/// What happened since a [`Point`].
pub(super) struct Changes {
    state: State,
    /// The owners and names that are left, when something was removed, renamed or moved.
    rewritten: Option<(Vec<Owner>, Names)>,
    names: Vec<(PersonId, Box<str>)>,
    owners: Vec<Owner>,
    vectors: Option<Vectors>,
    last_face: i64,
    last_person: i64,
    /// The XOR of the marks of the rows read.
    people_mark: i64,
    faces_mark: i64,
    expiries: Vec<(i64, FaceId)>,
    damaged_faces: Vec<FaceId>,
    damaged_people: Vec<PersonId>,
}

/// What a saved index holds of a [`Live`].
pub(super) struct SavedLive {
    pub(super) vectors: Vectors,
    pub(super) owners: Vec<Owner>,
    pub(super) names: Names,
    pub(super) last_kind: Option<IndexKind>,
    pub(super) last_person: i64,
    pub(super) people_mark: i64,
    pub(super) faces_mark: Option<i64>,
    pub(super) generation: u64,
    pub(super) rewritten: u64,
}

impl Live {
    /// Nothing read yet.
    pub(super) fn empty() -> Self {
        Self {
            vectors: None,
            owners: Arc::default(),
            names: Arc::default(),
            base: None,
            last_kind: None,
            last_face: 0,
            last_person: 0,
            people_mark: 0,
            faces_mark: Some(0),
            expiries: BTreeSet::new(),
            expired: BTreeSet::new(),
            expiries_unread: false,
            generation: 0,
            rewritten: 0,
            damaged_faces: Vec::new(),
            damaged_people: Vec::new(),
            line: Arc::default(),
            version: Arc::default(),
        }
    }

    pub(super) fn from_saved(saved: SavedLive) -> Self {
        let SavedLive { vectors, owners, names, last_kind, last_person, people_mark, faces_mark, generation, rewritten } = saved;
        let last_face = owners.last().map_or(0, |owner| owner.0.0);
        Self {
            vectors: Some(vectors),
            owners: Arc::new(owners),
            names: Arc::new(names),
            last_kind,
            last_face,
            last_person,
            people_mark,
            faces_mark,
            expiries_unread: true,
            generation,
            rewritten,
            ..Self::empty()
        }
    }

    pub(super) fn last_person(&self) -> i64 {
        self.last_person
    }

    pub(super) fn point(&self) -> Point {
        Point {
            owners: Arc::clone(&self.owners),
            names: Arc::clone(&self.names),
            last_face: self.last_face,
            last_person: self.last_person,
            expiries_unread: self.expiries_unread,
            generation: self.generation,
        }
    }

    /// When the next face expires, milliseconds since 1970 UTC.
    pub(super) fn next_expiry(&self) -> Option<i64> {
        self.expiries.first().map(|first| first.0)
    }

    /// Whether the face expired and is still in the database.
    pub(super) fn is_expired(&self, face: FaceId) -> bool {
        self.expired.contains(&face)
    }

    /// Takes out every face whose time has come.
    pub(super) fn drop_expired(&mut self, now_ms: i64) -> Result<()> {
        let mut gone = Vec::new();
        while let Some(&(time, face)) = self.expiries.first().filter(|first| first.0 <= now_ms) {
            self.expiries.remove(&(time, face));
            if let Ok(position) = self.owners.binary_search_by_key(&face, |owner| owner.0) {
                gone.push(position);
                self.expired.insert(face);
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        self.version = Arc::default();
        gone.sort_unstable();
        if let Some(vectors) = &mut self.vectors {
            vectors.remove(&gone)?;
        }
        let expired = &self.expired;
        Arc::make_mut(&mut self.owners).retain(|(face, _)| !expired.contains(face));
        Ok(())
    }

    /// Shows what happened since the point that the changes were read from. Only memory is touched.
    ///
    /// # Errors
    /// `gallery_corrupt` when a row does not match its checksum or rows are missing, unless `salvage` leaves them out.
    /// After an error the state may be half way: start again from [`empty`](Self::empty).
    pub(super) fn apply(&mut self, changes: Changes, folder: &Path, salvage: bool) -> Result<()> {
        self.version = Arc::default();
        let Changes { state, rewritten, names, owners, vectors, last_face, last_person, damaged_faces, damaged_people, .. } = changes;
        if let Some((left, names)) = rewritten {
            self.keep(left)?;
            self.names = Arc::new(names);
            self.people_mark = 0;
            self.damaged_people.clear();
        }
        if !names.is_empty() {
            let known = Arc::make_mut(&mut self.names);
            names.iter().for_each(|(person, name)| known.push(*person, name));
        }
        Arc::make_mut(&mut self.owners).extend(owners);
        match (&mut self.vectors, vectors) {
            (Some(all), Some(more)) => all.append(more)?,
            (none, more) => *none = more.or(none.take()),
        }
        (self.last_face, self.last_person) = (last_face, last_person);
        self.people_mark ^= changes.people_mark;
        self.faces_mark = self.faces_mark.map(|mark| mark ^ changes.faces_mark);
        self.expiries.extend(changes.expiries);
        self.expiries_unread = false;
        self.drop_expired(now_ms())?;
        self.damaged_faces.extend(damaged_faces);
        self.damaged_people.extend(damaged_people);
        let faces = self.owners.len() + self.expired.len();
        let marked =
            state.marks.is_none_or(|marks| marks.persons == self.people_mark && self.faces_mark.is_none_or(|mark| marks.faces == mark));
        let whole = marked && faces as u64 == state.faces && self.names.len() as u64 == state.persons;
        if !salvage && !whole {
            let found = match (self.damaged_people.first(), self.damaged_faces.first()) {
                (Some(person), _) => format!("person {person} does not match its checksum"),
                (_, Some(face)) => format!("face {face} does not match its checksum"),
                _ => "rows are missing or were exchanged".into(),
            };
            let counts = format!("{faces} of {} faces and {} of {} people are intact", state.faces, self.names.len(), state.persons);
            let remedy = store::REMEDY;
            return Err(store::corrupt(folder, &format!("{found}; {counts}; `facerec gallery verify` lists the damage; {remedy}")));
        }
        (self.generation, self.rewritten) = (state.generation, state.rewritten);
        Ok(())
    }

    /// Takes out every face that is not in `left`; both are sorted by face. Who is left may have another person.
    fn keep(&mut self, left: Vec<Owner>) -> Result<()> {
        let mut there = left.iter().peekable();
        let (mut kept, mut gone) = (Vec::with_capacity(left.len()), Vec::new());
        for (position, owner) in self.owners.iter().enumerate() {
            while there.next_if(|o| o.0 < owner.0).is_some() {}
            match there.next_if(|o| o.0 == owner.0) {
                Some(now) => kept.push(*now),
                None => gone.push(position),
            }
        }
        if let Some(vectors) = self.vectors.as_mut().filter(|_| !gone.is_empty()) {
            vectors.remove(&gone)?;
        }
        if self.last_face > 0 {
            // Rows that were read may be gone, another's, or sealed anew: only reading all of them again would tell their marks.
            self.faces_mark = None;
        }
        let is_left = |face: &FaceId| left.binary_search_by_key(face, |o| o.0).is_ok();
        self.damaged_faces.retain(is_left);
        self.expired.retain(is_left);
        self.owners = Arc::new(kept);
        Ok(())
    }

    /// The `k` most similar faces for each query, best first; equal similarities in the order of enrolment.
    pub(super) fn search(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<Match>>> {
        let Some(vectors) = &self.vectors else { return Ok(Vec::new()) };
        let (dim, k) = (vectors.dim(), k.min(self.owners.len()));
        let rows = vectors.rows();
        let mut found = match self.base.as_ref().filter(|_| k <= MAX_FROM_BASE) {
            Some(base) => self.propose(base, vectors, queries, k)?,
            None => vec![Vec::new(); queries.len() / dim],
        };
        // Without a base, or where it knows too few: everything is compared.
        let open: Vec<usize> = (0..found.len()).filter(|&i| found[i].len() < k).collect();
        let asked: Vec<f32> = open.iter().flat_map(|&i| &queries[i * dim..(i + 1) * dim]).copied().collect();
        for (i, hits) in open.into_iter().zip(vectors.search(&asked, k + ROUNDING, false)?) {
            found[i] = hits.into_iter().map(|hit| hit.0).collect();
        }
        let ranked = found.into_iter().zip(queries.chunks_exact(dim)).map(|(positions, query)| rows.rank(query, positions, k));
        ranked.map(|hits| hits.into_iter().map(|hit| self.matched(hit)).collect()).collect()
    }

    /// [`search`](Self::search) among the faces at `positions`, by comparing every one of them.
    pub(super) fn search_at(&self, positions: &[usize], queries: &[f32], k: usize) -> Result<Vec<Vec<Match>>> {
        let Some(vectors) = &self.vectors else { return Ok(Vec::new()) };
        let rows = vectors.rows();
        // As many pieces as keep every processor busy, each worth its thread.
        let pieces: Vec<&[usize]> = positions.chunks(ROWS_AT_ONCE).collect();
        let one = |query: &[f32]| -> Result<Vec<Match>> {
            let best = super::index::each(&pieces, pieces.len() > 1, |piece| Ok(rows.rank(query, piece.iter().copied(), k)))?;
            let best = rows.rank(query, best.into_iter().flatten().map(|hit| hit.0), k);
            best.into_iter().map(|hit| self.matched(hit)).collect()
        };
        queries.chunks_exact(vectors.dim()).map(one).collect()
    }

    /// Positions of candidates from the base and the best of what was added since.
    fn propose(&self, base: &Base, vectors: &Vectors, queries: &[f32], k: usize) -> Result<Vec<Vec<usize>>> {
        let wanted = base.candidates(k);
        let known = base.search(queries, wanted + self.tombstones().min(wanted))?;
        let newer = vectors.search(queries, k + ROUNDING, true)?;
        let position = |hit: usize| {
            let face = base.faces().get(hit)?;
            self.owners.binary_search_by_key(face, |owner| owner.0).ok()
        };
        let both = known.into_iter().zip(newer);
        Ok(both
            .map(|(known, newer)| known.iter().filter_map(|hit| position(hit.0)).chain(newer.iter().map(|hit| hit.0)).collect())
            .collect())
    }

    /// Number of people who can be found.
    pub(super) fn people(&self) -> usize {
        self.names.len() - self.names.doubles()
    }

    /// Removed faces that the base still knows.
    pub(super) fn tombstones(&self) -> usize {
        match (&self.base, &self.vectors) {
            (Some(base), Some(vectors)) => base.faces().len().saturating_sub(self.owners.len() - vectors.uncovered()),
            _ => 0,
        }
    }

    /// What to build when the gallery is to be searched by `kind`; the state stands apart from later additions from now on.
    pub(super) fn plan(&mut self, kind: IndexKind) -> Option<Plan> {
        if kind == IndexKind::Flat {
            self.last_kind = None;
        }
        let kind = self.kind_for(kind);
        let tombstones = self.tombstones();
        let vectors = self.vectors.as_mut()?;
        let faces = self.owners.len();
        if kind == IndexKind::Flat {
            self.base = None;
            vectors.cover(0);
            return None;
        }
        let old = self.base.as_ref().filter(|base| base.kind() == kind);
        let extend = match old {
            Some(base) if tombstones * REBUILD_SHARE > base.faces().len() || faces > 4 * base.trained_on() => None,
            Some(_) if vectors.uncovered() <= UNCOVERED_FACES.max(faces / UNCOVERED_SHARE) => return None,
            // A tombstone is not carried along.
            Some(base) if tombstones == 0 => Some(Arc::clone(base)),
            _ => None,
        };
        vectors.close();
        Some(Plan { kind, extend, vectors: vectors.clone(), owners: Arc::clone(&self.owners), line: Arc::clone(&self.line) })
    }

    /// The same, for a base without any tombstone and with every face.
    pub(super) fn plan_fresh(&mut self, kind: IndexKind) -> Option<Plan> {
        if self.tombstones() > 0 {
            self.base = None;
            self.vectors.as_mut()?.cover(0);
        }
        self.plan(kind)
    }

    fn kind_for(&self, kind: IndexKind) -> IndexKind {
        let faces = self.owners.len();
        match kind {
            _ if faces < SMALLEST_BASE => IndexKind::Flat,
            IndexKind::Auto if !cfg!(feature = "faiss") => IndexKind::Flat,
            IndexKind::Auto => self.last_kind.unwrap_or(if faces >= LARGE { IndexKind::Ivf } else { IndexKind::Flat }),
            chosen => chosen,
        }
    }

    /// Searches with a base that was built from a plan of this state or one before it.
    pub(super) fn install(&mut self, base: Arc<Base>, line: &Arc<()>) {
        let Some(vectors) = &mut self.vectors else { return };
        let last = base.faces().last().copied();
        let known = self.owners.partition_point(|owner| Some(owner.0) <= last);
        if Arc::ptr_eq(line, &self.line) && vectors.cover(known) {
            self.last_kind = Some(base.kind());
            self.base = Some(base);
        }
    }

    /// What identifies the states that follow from this one.
    pub(super) fn line(&self) -> &Arc<()> {
        &self.line
    }

    fn matched(&self, (position, similarity): (usize, f32)) -> Result<Match> {
        let owner = self.owners.get(position).and_then(|&(face, person)| Some((face, person, self.names.get(person)?)));
        let (face, person, name) = owner.ok_or_else(|| Error::internal(format!("the index has no owner at position {position}")))?;
        // Rounding may leave the product of two unit vectors a few parts in ten million beyond 1.
        let person = self.names.standing_for(person);
        Ok(Match { person, name: name.to_owned(), face, similarity: similarity.clamp(-1.0, 1.0) })
    }
}

/// A base is built again when one face in this many of it was removed.
const REBUILD_SHARE: usize = 16;
/// Faces that are searched exactly beside a base before they become part of it, and the share of the gallery if that is more: less
/// than a millisecond of work at a million.
const UNCOVERED_FACES: usize = 4096;
const UNCOVERED_SHARE: usize = 128;
/// Below this, a base only costs.
const SMALLEST_BASE: usize = 1024;
/// From here on `Auto` means `Ivf`: an exact query takes over 10 ms on two cores.
const LARGE: usize = 200_000;

/// A base to be built, with everything it is built from.
pub(super) struct Plan {
    kind: IndexKind,
    extend: Option<Arc<Base>>,
    vectors: Vectors,
    owners: Arc<Vec<Owner>>,
    pub(super) line: Arc<()>,
}

impl Plan {
    /// Takes seconds to minutes, and no lock.
    ///
    /// # Errors
    /// `cancelled` soon after `cancel` was set.
    pub(super) fn build(&self, cancel: &AtomicBool) -> Result<Base> {
        let faces = self.owners.iter().map(|owner| owner.0).collect();
        match &self.extend {
            Some(base) => base.extend(&self.vectors, faces, cancel),
            None => Base::build(self.kind, &self.vectors, faces, cancel),
        }
    }
}

impl Point {
    /// Reads everything that happened since.
    ///
    /// # Errors
    /// `gallery_corrupt`, `io`.
    pub(super) fn changes(self, snapshot: &Snapshot<'_>, progress: Option<&Progress>) -> Result<Changes> {
        let state = snapshot.state()?;
        let mut changes = Changes {
            rewritten: None,
            names: Vec::new(),
            owners: Vec::new(),
            vectors: None,
            last_face: self.last_face,
            last_person: self.last_person,
            people_mark: 0,
            faces_mark: 0,
            expiries: if self.expiries_unread { snapshot.expiries(FaceId(self.last_face))? } else { Vec::new() },
            damaged_faces: Vec::new(),
            damaged_people: Vec::new(),
            state,
        };
        if changes.state.rewritten > self.generation {
            let left = self.left(snapshot)?;
            changes.last_person = 0;
            let mut names = Names::default();
            changes.read_people(snapshot)?.into_iter().for_each(|(person, name)| names.push(person, &name));
            changes.rewritten = Some((left, names));
        } else {
            changes.names = changes.read_people(snapshot)?;
        }
        changes.read_faces(snapshot, &self, progress)?;
        Ok(changes)
    }

    /// Of the faces that were known, those that are left, with the person they belong to now.
    fn left(&self, snapshot: &Snapshot<'_>) -> Result<Vec<Owner>> {
        let mut left = snapshot.owners()?;
        left.truncate(left.partition_point(|owner| owner.0.0 <= self.last_face));
        let mut known = self.owners.iter().peekable();
        let mut moved = Vec::new();
        for owner in &left {
            while known.next_if(|k| k.0 < owner.0).is_some() {}
            if known.next_if(|k| k.0 == owner.0).is_some_and(|k| k.1 != owner.1) {
                moved.push(owner.0);
            }
        }
        // The list of owners has no checksum of its own: whoever has another person now is read as a whole.
        let mut damaged = Vec::new();
        for face in moved {
            let mut person = None;
            snapshot.face(face, |row| {
                if let Checked::Good(row) = row {
                    person = Some(row.person);
                }
                Ok(())
            })?;
            match (person, left.binary_search_by_key(&face, |owner| owner.0)) {
                (Some(person), Ok(at)) => left[at].1 = person,
                _ => damaged.push(face),
            }
        }
        left.retain(|owner| damaged.binary_search(&owner.0).is_err());
        Ok(left)
    }
}

impl Changes {
    /// People whose rows were not read yet, in the order of their ids: who was renamed has a later row.
    fn read_people(&mut self, snapshot: &Snapshot<'_>) -> Result<Vec<(PersonId, Box<str>)>> {
        let Self { last_person, people_mark, damaged_people, .. } = self;
        let mut people = Vec::new();
        snapshot.scan_persons(*last_person, |row| {
            *last_person = row.row().max(*last_person);
            match row {
                Checked::Good(person) => {
                    *people_mark ^= person.mark;
                    people.push((person.id, person.name.into()));
                }
                Checked::Damaged(id) => damaged_people.push(PersonId(id)),
            }
            Ok(())
        })?;
        people.sort_unstable_by_key(|person: &(PersonId, _)| person.0);
        Ok(people)
    }

    fn read_faces(&mut self, snapshot: &Snapshot<'_>, since: &Point, progress: Option<&Progress>) -> Result<()> {
        let Self { state, rewritten, names, owners, last_face, faces_mark, expiries, damaged_faces, .. } = self;
        if state.dim == 0 {
            return Ok(());
        }
        let is_known = |person: PersonId| match &*rewritten {
            Some((_, names)) => names.get(person).is_some(),
            None => since.names.get(person).is_some() || names.binary_search_by_key(&person, |name| name.0).is_ok(),
        };
        let mut all = Vectors::new(state.dim)?;
        let mut vectors = Vec::new();
        let expected = (state.faces as usize).saturating_sub(since.owners.len());
        let mut done = 0;
        snapshot.scan_faces(*last_face, |row| {
            *last_face = row.id();
            done += 1;
            match row {
                Checked::Good(face) if face.vector.len() == state.dim * 4 && is_known(face.person) => {
                    *faces_mark ^= face.mark;
                    expiries.extend(face.expires_ms.map(|time| (time, face.id)));
                    vectors.extend(vector_values(face.vector));
                    owners.push((face.id, face.person));
                }
                other => damaged_faces.push(FaceId(other.id())),
            }
            if vectors.len() >= ROWS_AT_ONCE * state.dim {
                all.add(&vectors)?;
                vectors.clear();
                if let Some(progress) = progress {
                    progress.report(done.min(expected), expected);
                }
            }
            Ok(())
        })?;
        all.add(&vectors)?;
        if let Some(progress) = progress.filter(|_| expected >= ROWS_AT_ONCE) {
            progress.report(expected, expected);
        }
        self.vectors = Some(all);
        Ok(())
    }
}
