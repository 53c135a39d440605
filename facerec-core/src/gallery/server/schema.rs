//! The tables of a gallery on a server, and how an older one becomes today's.
//!
//! Each gallery has a schema of its own, `facerec_NAME`, rather than a column in common tables: vectors of different models have
//! different lengths and need an index each, rights are granted and backups made per gallery, and `DROP SCHEMA` forgets it.

use std::io::ErrorKind;

use tokio_postgres::Row;

use super::change::Change;
use super::edit;
use super::failure::Failure;
use super::pool::{Extension, Pool};
use super::tx::Tx;
use crate::error::{Error, Result};
use crate::face::ModelKey;
use crate::gallery::audit::Action;
use crate::gallery::rows::{Marks, State};

/// What makes format `n + 1` of format `n`. A new gallery takes all steps, an old one those it lacks.
///
/// `vector` has no fixed length, since that is known with the first face only. It is stored in the row (`PLAIN`): PostgreSQL would
/// otherwise move what is longer than 2 kB to another table, and a scan would have to fetch each vector from there. `metadata` is the
/// caller's text and counts; `entries` is the same as `jsonb`, for filters.
///
/// The second has no tables: from then on every name is in its canonical spelling, see [`edit::unite_names`]. The third says how many
/// rows there are and the XOR of their checksums, see [`count`].
const STEPS: [&str; 3] = [
    "
CREATE TABLE gallery.state (id int PRIMARY KEY CHECK (id = 1), format int NOT NULL, generation bigint NOT NULL, dim int NOT NULL,
    model_id text NOT NULL, model_hash text NOT NULL);
CREATE SEQUENCE gallery.person_ids;
CREATE SEQUENCE gallery.face_ids;
CREATE TABLE gallery.persons (id bigint PRIMARY KEY, name text COLLATE \"C\" NOT NULL UNIQUE, created_ms bigint NOT NULL,
    checksum bigint NOT NULL);
CREATE TABLE gallery.faces (id bigint PRIMARY KEY, person bigint NOT NULL REFERENCES gallery.persons (id), vector pgvector.vector NOT NULL,
    score real, sharpness real, yaw_deg real, pitch_deg real, roll_deg real, face_px real, exposure real,
    source text, digest text, metadata text, created_ms bigint NOT NULL, checksum bigint NOT NULL, expires_ms bigint, entries jsonb);
ALTER TABLE gallery.faces ALTER COLUMN vector SET STORAGE PLAIN;
CREATE INDEX faces_person ON gallery.faces (person);
CREATE INDEX faces_expiry ON gallery.faces (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE SEQUENCE gallery.audit_ids;
CREATE TABLE gallery.audit (id bigint PRIMARY KEY, at_ms bigint NOT NULL, actor text NOT NULL, action text NOT NULL, persons text NOT NULL,
    faces text NOT NULL, checksum bigint NOT NULL);
",
    "",
    "
ALTER TABLE gallery.state ADD COLUMN persons bigint NOT NULL DEFAULT 0, ADD COLUMN faces bigint NOT NULL DEFAULT 0,
    ADD COLUMN persons_mark bigint NOT NULL DEFAULT 0, ADD COLUMN faces_mark bigint NOT NULL DEFAULT 0,
    ADD COLUMN audit_mark bigint NOT NULL DEFAULT 0;
",
];
const CANONICAL_NAMES: i32 = 2;
/// The format that this version reads and writes.
const FORMAT: i32 = STEPS.len() as i32;
/// What the steps come to, as far as it is read: a backup may bring some of it only.
const COLUMNS: [(&str, &str); 4] = [
    ("state", "id format generation dim model_id model_hash persons faces persons_mark faces_mark audit_mark"),
    ("persons", "id name created_ms checksum"),
    (
        "faces",
        "id person vector score sharpness yaw_deg pitch_deg roll_deg face_px exposure source digest metadata created_ms checksum \
         expires_ms entries",
    ),
    ("audit", "id at_ms actor action persons faces checksum"),
];
const SEQUENCES: [&str; 3] = ["person_ids", "face_ids", "audit_ids"];
/// Longest vector that fits in a page of 8 kB beside the rest of its row.
const MOST_IN_ROW: usize = 1700;

/// Creates the gallery when there is none, and brings an older one up to date. Only one process does at a time.
pub(super) fn create(pool: &Pool, model: Option<&ModelKey>) -> Result<()> {
    pool.write(|tx| {
        // PostgreSQL's `IF NOT EXISTS` fails when two do it at once.
        tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('facerec', 0))", &[])?;
        let found = format(tx)?;
        let Some(model) = model.filter(|_| found.is_none()) else {
            return match found.filter(|&format| (1..FORMAT).contains(&format)) {
                Some(format) => bring_up(tx, format, pool.actor()),
                None => Ok(((), None)),
            };
        };
        tx.batch("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public").map_err(|e| no_extension(tx, e))?;
        let home = tx.one(
            "SELECT quote_ident(nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'vector'",
            &[],
        )?;
        tx.installed(Extension { schema: home.get(0), iterates: false });
        let schema = tx.schema();
        tx.batch(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\""))?;
        take_steps(tx, 0)?;
        let sql = "INSERT INTO gallery.state (id, format, generation, dim, model_id, model_hash) VALUES (1, $1, 0, 0, $2, $3)";
        tx.execute(sql, &[&FORMAT, &model.id.as_str(), &model.hash.as_str()])?;
        // The generation of a new gallery is 0, so this is no change as others are.
        let mut created = Change::new(Action::Create);
        created.log(tx, pool.actor())?;
        created.settle(tx)?;
        Ok(((), None))
    })
}

fn take_steps(tx: &mut Tx<'_>, from: usize) -> Result<(), Failure> {
    STEPS.iter().skip(from).filter(|step| !step.is_empty()).try_for_each(|step| tx.batch(step))
}

/// Makes today's gallery of one of format `from`.
fn bring_up(tx: &mut Tx<'_>, from: i32, actor: &str) -> edit::Edited<()> {
    // Every row is read.
    tx.without_limit()?;
    take_steps(tx, from as usize)?;
    count(tx)?;
    tx.execute("UPDATE gallery.state SET format = $1", &[&FORMAT])?;
    if from < CANONICAL_NAMES { edit::unite_names(tx, actor) } else { Ok(((), None)) }
}

/// Counts the rows of a gallery that does not say yet how many it has.
fn count(tx: &mut Tx<'_>) -> Result<(), Failure> {
    tx.batch("LOCK TABLE gallery.persons, gallery.faces, gallery.audit IN SHARE MODE")?;
    let marks = marks(tx)?;
    let sql = "UPDATE gallery.state SET persons = (SELECT count(*) FROM gallery.persons), faces = (SELECT count(*) FROM gallery.faces), \
               persons_mark = $1, faces_mark = $2, audit_mark = $3";
    tx.execute(sql, &[&marks.persons, &marks.faces, &marks.audit]).map(drop)
}

/// The XOR of all checksums, by table.
pub(super) fn marks(tx: &mut Tx<'_>) -> Result<Marks, Failure> {
    let mut of = |table: &str| {
        let mut mark = 0;
        let add = |row: Row| {
            mark ^= row.get::<_, i64>(0);
            Ok(())
        };
        tx.each(&format!("SELECT checksum FROM gallery.{table}"), &[], add)?;
        Ok::<_, Failure>(mark)
    };
    Ok(Marks { persons: of("persons")?, faces: of("faces")?, audit: of("audit")? })
}

fn no_extension(tx: &Tx<'_>, failure: Failure) -> Failure {
    let text = format!(
        "pgvector is not usable in this database ({}); install it on the server and let an administrator run `CREATE EXTENSION vector`",
        failure.error
    );
    Failure { error: Error::io("create", tx.place(), std::io::Error::new(ErrorKind::Unsupported, text)), ..failure }
}

/// The format of the gallery; `None` when there is no gallery.
fn format(tx: &mut Tx<'_>) -> Result<Option<i32>, Failure> {
    let schema = tx.schema();
    let sql = "SELECT has_schema_privilege(n.oid, 'USAGE'), EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = 'state'), \
               EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid), current_user::text FROM pg_namespace n WHERE nspname = $1";
    let found = tx.query(sql, &[&schema.as_str()])?;
    let Some(row) = found.first() else { return Ok(None) };
    if !row.get::<_, bool>(0) {
        let role: &str = row.get(3);
        let text = format!(
            "the role `{role}` has no right to use the schema `{schema}`; its owner runs `GRANT USAGE ON SCHEMA \"{schema}\" TO \"{role}\"` and grants the tables in it (docs/galleries.md)"
        );
        return Err(Error::io("open", tx.place(), std::io::Error::new(ErrorKind::PermissionDenied, text)).into());
    }
    match (row.get(1), row.get(2)) {
        (true, _) => Ok(Some(tx.one("SELECT format FROM gallery.state", &[])?.get(0))),
        (false, true) => Err(tx.corrupt("its table `state` is missing").into()),
        (false, false) => Ok(None),
    }
}

/// Refuses what is no whole gallery of this version.
pub(super) fn check(tx: &mut Tx<'_>) -> Result<(), Failure> {
    let found = format(tx)?.ok_or_else(|| {
        let text = "there is no gallery of this name in the database; enrol a face to create one";
        Error::io("open", tx.place(), std::io::Error::new(ErrorKind::NotFound, text))
    })?;
    match found {
        FORMAT => check_whole(tx),
        newer if newer > FORMAT => {
            let found = u32::try_from(newer).unwrap_or(u32::MAX);
            Err(Error::GalleryNewer { path: tx.place().into(), found, supported: FORMAT as u32 }.into())
        }
        older if older >= 1 => {
            let text = format!("it has the older format {older}; open it once for writing to bring it up to {FORMAT}");
            Err(Error::io("open", tx.place(), std::io::Error::new(ErrorKind::Unsupported, text)).into())
        }
        other => Err(tx.corrupt(&format!("it has format {other}")).into()),
    }
}

/// Refuses a gallery of which a part is missing, as a backup leaves it that was restored without pgvector.
fn check_whole(tx: &mut Tx<'_>) -> Result<(), Failure> {
    let sql = "SELECT relname::text, coalesce(string_agg(attname::text, ' '), '') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
               LEFT JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped \
               WHERE nspname = $1 AND relkind IN ('r', 'p', 'S') GROUP BY relname";
    let rows = tx.query(sql, &[&tx.schema()])?;
    let columns = |name: &str| rows.iter().find(|row| row.get::<_, &str>(0) == name).map(|row| row.get::<_, &str>(1).split(' '));
    for (table, wanted) in COLUMNS {
        let Some(found) = columns(table) else { return Err(tx.corrupt(&format!("its table `{table}` is missing")).into()) };
        if let Some(column) = wanted.split(' ').find(|column| !found.clone().any(|found| found == *column)) {
            return Err(tx.corrupt(&format!("its table `{table}` has no column `{column}`")).into());
        }
    }
    match SEQUENCES.into_iter().find(|name| columns(name).is_none()) {
        Some(name) => Err(tx.corrupt(&format!("its sequence `{name}` is missing")).into()),
        None => Ok(()),
    }
}

/// The gallery as a whole.
pub(super) fn state(tx: &mut Tx<'_>) -> Result<State, Failure> {
    let sql = "SELECT generation, dim, model_id, model_hash, faces, persons, persons_mark, faces_mark, audit_mark FROM gallery.state";
    let row = tx.one(sql, &[])?;
    let number = |column| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
    let model = ModelKey::new(row.get::<_, String>(2), row.get::<_, String>(3));
    let dim = usize::try_from(row.get::<_, i32>(1)).unwrap_or_default();
    let marks = Some(Marks { persons: row.get(6), faces: row.get(7), audit: row.get(8) });
    Ok(State { generation: number(0), rewritten: 0, faces: number(4), persons: number(5), dim, model, unclean: false, marks })
}

/// The length of its vectors, 0 until there is one.
pub(super) fn dim(tx: &mut Tx<'_>) -> Result<usize, Failure> {
    let dim: i32 = tx.one("SELECT dim FROM gallery.state", &[])?.get(0);
    Ok(usize::try_from(dim).unwrap_or_default())
}

/// Makes sure that vectors of `wanted` values belong here. The first ones decide.
pub(super) fn fix_dim(tx: &mut Tx<'_>, wanted: usize) -> Result<(), Failure> {
    let mut found = dim(tx)?;
    if found == 0 {
        tx.execute("SELECT FROM gallery.state FOR UPDATE", &[])?;
        found = dim(tx)?;
    }
    if found == 0 {
        found = wanted;
        tx.execute("UPDATE gallery.state SET dim = $1", &[&(wanted as i32)])?;
        if wanted > MOST_IN_ROW {
            tx.batch("ALTER TABLE gallery.faces ALTER COLUMN vector SET STORAGE EXTERNAL")?;
        }
    }
    if found == wanted {
        return Ok(());
    }
    Err(Error::DimensionMismatch { what: "embedding", expected: found, actual: wanted }.into())
}
