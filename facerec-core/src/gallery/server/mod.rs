//! A gallery on a PostgreSQL server with pgvector, which many processes on many machines enrol into and search at the same time.
//!
//! The rules are those of a folder: names, models, ids that are never given out twice, one checksum per row. What differs: there is no
//! one writer, so changes are transactions that lock the people they touch; the search runs on the server, exactly unless the gallery
//! was given a graph; and what protects the disk is the server's own (encrypted volumes, backups), so there is no key.
//! One thread per gallery carries its connections, on the only tokio runtime in the core; callers wait on their own threads.

mod address;
mod change;
mod connection;
mod edit;
mod failure;
mod import;
mod param;
mod pool;
mod rows;
mod schema;
mod search;
mod source;
mod tls;
mod tx;
mod wait;

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::address::{Address, Kind};
use self::edit::{Edited, now_ms};
use self::failure::Failure;
use self::import::ServerSink;
use self::pool::Pool;
use self::rows::{CURRENT, ENTRY, FACE, OwnedFace};
use self::search::Searcher;
use self::source::ServerSource;
use self::tx::Tx;
use super::audit::actor_of;
use super::backend::Backend;
use super::decision::Candidate;
use super::filter::SearchFilter;
use super::key::GalleryKey;
use super::options::GalleryOptions;
use super::records::{AuditEntry, FaceId, FaceRecord, GalleryStats, ImportReport, Match, NewFace, Person, PersonId, VerifyReport};
use super::store::Checked;
use super::{transfer, verify};
use crate::error::{Error, Result};
use crate::face::{Embedding, ModelKey};

/// How old the knowledge may be whether the gallery has a graph, which another process may make or drop.
const GRAPH_KNOWN_FOR: Duration = Duration::from_secs(10);
/// Changes look for expired faces not more often than this; searches never find them.
const PURGED_FOR: Duration = Duration::from_secs(1);
/// pgvector's graphs hold vectors of at most so many values.
const MOST_IN_GRAPH: usize = 2000;

/// People and their faces on a server.
pub(super) struct Server {
    pool: Pool,
    model: Arc<ModelKey>,
    read_only: bool,
    salvage: bool,
    /// Length of the vectors, 0 until it is known.
    dim: AtomicUsize,
    /// Whether there is a graph, and when that was looked up.
    graph: Mutex<Option<(Instant, bool)>>,
    /// When expired faces were looked for.
    purged: Mutex<Option<Instant>>,
}

impl Server {
    /// Opens the gallery at `address`; with a model, it must be that one's, and may be created.
    pub(super) fn open(address: &Path, model: Option<&Arc<ModelKey>>, options: &GalleryOptions) -> Result<Self> {
        let actor = actor_of(options.actor.as_deref())?;
        let pool = Pool::new(Address::parse(address)?.search_by(options.index)?, options.read_only, actor, options.wait)?;
        if options.key.is_some() {
            return Err(no_key());
        }
        if !options.read_only {
            schema::create(&pool, model.filter(|_| options.create).map(Arc::as_ref))?;
        }
        let state = pool.read(|tx| {
            schema::check(tx)?;
            schema::state(tx)
        })?;
        let model = match model {
            Some(asked) if **asked != state.model => {
                return Err(Error::EmbeddingModelMismatch { expected: state.model.to_string(), actual: asked.to_string() });
            }
            Some(asked) => Arc::clone(asked),
            None => Arc::new(state.model),
        };
        let server = Self {
            pool,
            model,
            read_only: options.read_only,
            salvage: options.salvage,
            dim: AtomicUsize::new(state.dim),
            graph: Mutex::default(),
            purged: Mutex::default(),
        };
        if !options.read_only {
            server.purge()?;
            if state.dim > 0 {
                server.make_graph(state.dim)?;
            }
        }
        Ok(server)
    }

    fn writable(&self) -> Result<()> {
        if self.read_only {
            return Err(Error::argument("gallery", "expected one that is open for writing, got `read_only`; open it without it"));
        }
        Ok(())
    }

    /// Runs a change; expired faces go first.
    fn change<T>(&self, change: impl FnMut(&mut Tx<'_>) -> Edited<T>) -> Result<T> {
        self.writable()?;
        if self.purged().is_none_or(|when| when.elapsed() >= PURGED_FOR) {
            self.purge()?;
        }
        self.pool.write(change)
    }

    fn purge(&self) -> Result<usize> {
        let any = self.pool.read(edit::any_expired)?;
        let removed = if any { self.pool.write(edit::remove_expired)? } else { 0 };
        *self.purged() = Some(Instant::now());
        Ok(removed)
    }

    fn purged(&self) -> MutexGuard<'_, Option<Instant>> {
        self.purged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_model(&self, embedding: &Embedding) -> Result<()> {
        if **embedding.model() == *self.model {
            return Ok(());
        }
        Err(Error::EmbeddingModelMismatch { expected: self.model.to_string(), actual: embedding.model().to_string() })
    }

    /// Length of the vectors; 0 while there is none.
    fn dim(&self, tx: &mut Tx<'_>) -> Result<usize, Failure> {
        let known = self.dim.load(Ordering::Relaxed);
        if known > 0 {
            return Ok(known);
        }
        let dim = schema::dim(tx)?;
        self.dim.store(dim, Ordering::Relaxed);
        Ok(dim)
    }

    /// Makes the graph if the address asks for it and there is none. Others enrol and search meanwhile.
    fn make_graph(&self, dim: usize) -> Result<()> {
        if self.pool.address().kind != Some(Kind::Hnsw) || self.pool.read(has_graph)? {
            return Ok(());
        }
        if dim > MOST_IN_GRAPH {
            return Err(Error::argument(
                "gallery",
                format!("expected at most {MOST_IN_GRAPH} values in a vector for `index=hnsw`, got `{dim}`"),
            ));
        }
        tracing::info!(gallery = %self.pool.place().display(), "building the graph; this takes minutes for a million faces");
        let index = format!(
            "CREATE INDEX CONCURRENTLY faces_graph ON gallery.faces USING hnsw ((vector::pgvector.vector({dim})) pgvector.vector_ip_ops)"
        );
        let made = self.pool.maintain("index", &["DROP INDEX CONCURRENTLY IF EXISTS gallery.faces_graph", &index]);
        *self.graph.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match made {
            // Another process was faster, or is at it.
            Err(error) if self.pool.read(has_graph).is_ok_and(|there| there) => {
                tracing::debug!(%error, "the graph was made by another process");
                Ok(())
            }
            other => other,
        }
    }

    /// The length of the vectors when searches may use a graph, `None` when they compare all.
    fn graph(&self, tx: &mut Tx<'_>, dim: usize) -> Result<Option<usize>, Failure> {
        if self.pool.address().kind == Some(Kind::Exact) {
            return Ok(None);
        }
        let known = *self.graph.lock().unwrap_or_else(PoisonError::into_inner);
        let there = match known.filter(|(when, _)| when.elapsed() < GRAPH_KNOWN_FOR) {
            Some((_, there)) => there,
            None => {
                let there = has_graph(tx)?;
                *self.graph.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), there));
                there
            }
        };
        Ok(there.then_some(dim))
    }

    /// Runs `answer` for each query, all on one state of the gallery.
    fn for_each<T>(
        &self,
        queries: &[Embedding],
        filter: &SearchFilter,
        mut answer: impl FnMut(&Searcher<'_>, &mut Tx<'_>, &Embedding) -> Result<Vec<T>, Failure>,
    ) -> Result<Vec<Vec<T>>> {
        queries.iter().try_for_each(|query| self.check_model(query))?;
        self.pool.read(|tx| {
            let dim = self.dim(tx)?;
            if dim == 0 {
                return Ok(queries.iter().map(|_| Vec::new()).collect());
            }
            if let Some(bad) = queries.iter().map(|query| query.as_slice().len()).find(|&len| len != dim) {
                return Err(Error::DimensionMismatch { what: "embedding", expected: dim, actual: bad }.into());
            }
            let graph = self.graph(tx, dim)?;
            let searcher = Searcher::new(tx, filter, graph, self.salvage)?;
            queries.iter().map(|query| answer(&searcher, tx, query)).collect()
        })
    }

    /// Leaves damaged rows out where that was asked for.
    fn intact<T>(&self, tx: &Tx<'_>, row: Checked<T>, what: &str) -> Result<Option<T>> {
        match row {
            Checked::Good(row) => Ok(Some(row)),
            Checked::Damaged(_) if self.salvage => Ok(None),
            Checked::Damaged(id) => Err(tx.corrupt(&format!("{what} {id} does not match its checksum"))),
        }
    }

    /// Everybody, or who has the name or the id.
    fn people(&self, name: Option<&str>, id: Option<PersonId>) -> Result<Vec<Person>> {
        // Counted by the indexes alone: a million people are listed without reading their faces.
        let sql = "SELECT p.id, p.name, p.created_ms, p.checksum, p.faces - coalesce(gone.faces, 0) \
                   FROM (SELECT *, (SELECT count(*) FROM gallery.faces WHERE person = p.id) AS faces FROM gallery.persons p \
                         WHERE ($2::text IS NULL OR name = $2) AND ($3::bigint IS NULL OR id = $3)) p \
                   LEFT JOIN (SELECT person, count(*) AS faces FROM gallery.faces WHERE expires_ms <= $1 GROUP BY person) gone ON gone.person = p.id \
                   WHERE gone.faces IS NULL OR gone.faces < p.faces ORDER BY name";
        self.pool.read(|tx| {
            let mut people = Vec::new();
            for row in tx.query(sql, &[&now_ms(), &name, &id.map(|id| id.0)])? {
                let person = self.intact(tx, rows::person(&row, 0), "person")?;
                let faces = row.get::<_, i64>(4) as usize;
                people.extend(person.map(|p| Person { id: p.id, name: p.name.into(), faces, created_ms: p.created_ms }));
            }
            Ok(people)
        })
    }
}

/// The server sees what is stored: a key that only clients had would leave nothing to search for.
fn no_key() -> Error {
    let text = "expected none for a gallery on a server, whose disks are the server's to encrypt (encrypted volumes, TLS on the way); use a \
                folder for a gallery with a key of its own";
    Error::argument("key", text)
}

/// Whether the gallery has a graph that is whole.
fn has_graph(tx: &mut Tx<'_>) -> Result<bool, Failure> {
    let sql = "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('gallery.faces_graph') AND indisvalid)";
    Ok(tx.one(sql, &[])?.get(0))
}

impl Backend for Server {
    fn location(&self) -> &Path {
        self.pool.place()
    }

    fn model(&self) -> &Arc<ModelKey> {
        &self.model
    }

    fn add_many(&self, faces: &[(&str, NewFace<'_>)]) -> Result<Vec<FaceId>> {
        self.writable()?;
        let Some((_, first)) = faces.first() else { return Ok(Vec::new()) };
        let dim = first.embedding.as_slice().len();
        for (_, face) in faces {
            self.check_model(face.embedding)?;
            edit::check_text(face.source)?;
            let actual = face.embedding.as_slice().len();
            if actual != dim {
                return Err(Error::DimensionMismatch { what: "embedding", expected: dim, actual });
            }
        }
        let ids = self.change(|tx| edit::add(tx, faces, dim))?;
        if self.dim.swap(dim, Ordering::Relaxed) == 0 {
            // The first faces said how long the vectors are: a graph grows with the gallery from now on.
            self.make_graph(dim)?;
        }
        Ok(ids)
    }

    fn remove_person(&self, name: &str) -> Result<usize> {
        self.change(|tx| edit::remove_person(tx, name))
    }

    fn remove_face(&self, face: FaceId) -> Result<bool> {
        self.change(|tx| edit::remove_face(tx, face))
    }

    fn rename(&self, name: &str, new_name: &str) -> Result<()> {
        self.change(|tx| edit::rename(tx, name, new_name))
    }

    fn merge(&self, from: &str, into: &str) -> Result<usize> {
        self.change(|tx| edit::merge(tx, from, into))
    }

    fn split(&self, person: &str, faces: &[FaceId], into: &str) -> Result<usize> {
        self.change(|tx| edit::split(tx, person, faces, into))
    }

    fn persons(&self) -> Result<Vec<Person>> {
        self.people(None, None)
    }

    fn person(&self, name: &str) -> Result<Person> {
        self.people(Some(name), None)?.pop().ok_or_else(|| Error::PersonNotFound { person: name.into() })
    }

    fn person_by_id(&self, person: PersonId) -> Result<Option<Person>> {
        Ok(self.people(None, Some(person))?.pop())
    }

    fn faces(&self, name: &str) -> Result<Vec<FaceRecord>> {
        let person = self.person(name)?.id;
        self.pool.read(|tx| {
            let mut faces = Vec::new();
            for row in tx.query(
                &format!("SELECT {FACE} FROM gallery.faces f WHERE {CURRENT} AND person = $2 ORDER BY id"),
                &[&now_ms(), &person.0],
            )? {
                faces.extend(self.intact(tx, OwnedFace::new(row).checked(), "face")?.map(|face| face.record()));
            }
            Ok(faces)
        })
    }

    fn embedding(&self, face: FaceId) -> Result<Option<Embedding>> {
        self.pool.read(|tx| {
            let Some(row) =
                tx.query(&format!("SELECT {FACE} FROM gallery.faces f WHERE {CURRENT} AND id = $2"), &[&now_ms(), &face.0])?.pop()
            else {
                return Ok(None);
            };
            let face = OwnedFace::new(row);
            let good = self.intact(tx, face.checked(), "face")?.is_some();
            Ok(good.then(|| Embedding::new(Arc::clone(&self.model), face.vector.clone())).transpose()?)
        })
    }

    fn vectors(&self, name: &str) -> Result<Vec<(FaceId, Embedding)>> {
        let person = self.person(name)?.id;
        self.pool.read(|tx| {
            let mut vectors = Vec::new();
            for row in tx.query(
                &format!("SELECT {FACE} FROM gallery.faces f WHERE {CURRENT} AND person = $2 ORDER BY id"),
                &[&now_ms(), &person.0],
            )? {
                let face = OwnedFace::new(row);
                if let Some(good) = self.intact(tx, face.checked(), "face")? {
                    vectors.push((good.id, Embedding::new(Arc::clone(&self.model), face.vector.clone())?));
                }
            }
            Ok(vectors)
        })
    }

    fn search(&self, queries: &[Embedding], k: usize, filter: &SearchFilter) -> Result<Vec<Vec<Match>>> {
        self.for_each(queries, filter, |searcher, tx, query| searcher.best(tx, query, k))
    }

    fn best_people(&self, queries: &[Embedding], wanted: usize, filter: &SearchFilter) -> Result<Vec<Vec<Candidate>>> {
        self.for_each(queries, filter, |searcher, tx, query| searcher.best_people(tx, query, wanted))
    }

    fn stats(&self) -> Result<GalleryStats> {
        let schema = self.pool.address().schema();
        self.pool.read(|tx| {
            let state = schema::state(tx)?;
            let sql = "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c \
                       JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'";
            let bytes: i64 = tx.one(sql, &[&schema])?.get(0);
            let graph = self.graph(tx, state.dim)?;
            let sql = "SELECT coalesce(sum(faces), 0)::bigint, count(*) FILTER (WHERE faces = (SELECT count(*) FROM gallery.faces WHERE person = gone.person)) \
                       FROM (SELECT person, count(*) AS faces FROM gallery.faces WHERE expires_ms <= $1 GROUP BY person) gone";
            let gone = tx.one(sql, &[&now_ms()])?;
            let [faces, persons] = [gone.get::<_, i64>(0), gone.get(1)].map(|gone| gone as usize);
            Ok(GalleryStats {
                persons: (state.persons as usize).saturating_sub(persons),
                faces: (state.faces as usize).saturating_sub(faces),
                dim: Some(state.dim).filter(|&dim| dim > 0),
                model: state.model.id,
                model_hash: state.model.hash,
                index_kind: if graph.is_some() { "pgvector-hnsw" } else { "pgvector-exact" }.into(),
                recall: graph.is_none().then_some(1.0),
                tombstones: 0,
                index_bytes_per_face: 0,
                index_building: false,
                bytes_on_disk: bytes as u64,
                generation: state.generation,
                encrypted: false,
            })
        })
    }

    fn verify(&self) -> Result<VerifyReport> {
        self.pool.read(|tx| {
            tx.without_limit()?;
            let mut problems = Vec::new();
            let broken = "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('gallery.faces_graph') AND NOT indisvalid)";
            if tx.one(broken, &[])?.get(0) {
                problems.push(
                    "the graph was not built to its end, and is not used: open the gallery with `index=hnsw` to build it again".into(),
                );
            }
            Ok(verify::verify(&ServerSource::new(tx), problems, None)?)
        })
    }

    /// Rewrites the tables, so that nothing of what was removed is left in them; others wait meanwhile.
    fn compact(&self) -> Result<()> {
        self.writable()?;
        self.pool.maintain("compact", &["VACUUM (FULL, ANALYZE) gallery.faces", "VACUUM (FULL, ANALYZE) gallery.persons"])
    }

    fn export(&self, out: &mut dyn Write) -> Result<usize> {
        // Once: what was written cannot be taken back.
        self.pool.read_once(|tx| {
            tx.without_limit()?;
            Ok(transfer::export(&ServerSource::new(tx), self.salvage, out)?)
        })
    }

    fn export_person(&self, name: &str, out: &mut dyn Write) -> Result<usize> {
        let person = self.person(name)?;
        self.pool.read_once(|tx| Ok(transfer::export_person(&ServerSource::new(tx), &person, &[person.id], self.salvage, out)?))
    }

    fn purge_expired(&self) -> Result<usize> {
        self.writable()?;
        self.purge()
    }

    fn set_key(&self, _: Option<GalleryKey>) -> Result<()> {
        Err(no_key())
    }

    fn audit(&self, after_id: i64, limit: usize) -> Result<Vec<AuditEntry>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.pool.read(|tx| {
            let mut entries = Vec::new();
            for row in tx.query(&format!("SELECT {ENTRY} FROM gallery.audit WHERE id > $1 ORDER BY id LIMIT $2"), &[&after_id, &limit])? {
                entries.extend(self.intact(tx, rows::entry(&row), "audit entry")?.map(|entry| entry.entry()));
            }
            Ok(entries)
        })
    }

    fn import(&self, input: &mut dyn BufRead) -> Result<ImportReport> {
        self.writable()?;
        let report = self.pool.write_once(|tx| {
            tx.without_limit()?;
            let mut sink = ServerSink::new(tx);
            let report = transfer::import(&mut sink, &self.model, input).map_err(|error| sink.failure(error))?;
            Ok((report, sink.change()))
        })?;
        let dim = self.pool.read(schema::dim)?;
        if self.dim.swap(dim, Ordering::Relaxed) == 0 && dim > 0 {
            self.make_graph(dim)?;
        }
        Ok(report)
    }
}
