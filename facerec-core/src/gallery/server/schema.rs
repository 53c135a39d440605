//! The tables of a gallery on a server, and how an older one becomes today's.
//!
//! Each gallery has a schema of its own, `facerec_NAME`, rather than a column in common tables: vectors of different models have
//! different lengths and need an index each, rights are granted and backups made per gallery, and `DROP SCHEMA` forgets it.

use std::io::ErrorKind;

use super::change::Change;
use super::edit;
use super::failure::Failure;
use super::pool::{Pool, Tx};
use crate::error::{Error, Result};
use crate::face::ModelKey;
use crate::gallery::audit::Action;
use crate::gallery::rows::State;

/// What makes format `n + 1` of format `n`. A new gallery takes all steps, an old one those it lacks.
///
/// `vector` has no fixed length, since that is known with the first face only. It is stored in the row (`PLAIN`): PostgreSQL would
/// otherwise move what is longer than 2 kB to another table, and a scan would have to fetch each vector from there. `metadata` is the
/// caller's text and counts; `entries` is the same as `jsonb`, for filters.
///
/// The second has no tables: from then on every name is in its canonical spelling, see [`edit::unite_names`].
const STEPS: [&str; 2] = [
    "
CREATE TABLE state (id int PRIMARY KEY CHECK (id = 1), format int NOT NULL, generation bigint NOT NULL, dim int NOT NULL,
    model_id text NOT NULL, model_hash text NOT NULL);
CREATE SEQUENCE person_ids;
CREATE SEQUENCE face_ids;
CREATE TABLE persons (id bigint PRIMARY KEY, name text COLLATE \"C\" NOT NULL UNIQUE, created_ms bigint NOT NULL, checksum bigint NOT NULL);
CREATE TABLE faces (id bigint PRIMARY KEY, person bigint NOT NULL REFERENCES persons (id), vector vector NOT NULL,
    score real, sharpness real, yaw_deg real, pitch_deg real, roll_deg real, face_px real, exposure real,
    source text, digest text, metadata text, created_ms bigint NOT NULL, checksum bigint NOT NULL, expires_ms bigint, entries jsonb);
ALTER TABLE faces ALTER COLUMN vector SET STORAGE PLAIN;
CREATE INDEX faces_person ON faces (person);
CREATE INDEX faces_expiry ON faces (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE SEQUENCE audit_ids;
CREATE TABLE audit (id bigint PRIMARY KEY, at_ms bigint NOT NULL, actor text NOT NULL, action text NOT NULL, persons text NOT NULL,
    faces text NOT NULL, checksum bigint NOT NULL);
",
    "",
];
const CANONICAL_NAMES: i32 = 2;
/// The format that this version reads and writes.
const FORMAT: i32 = STEPS.len() as i32;
/// Longest vector that fits in a page of 8 kB beside the rest of its row.
const MOST_IN_ROW: usize = 1700;

/// Creates the gallery when there is none, and brings an older one up to date. Only one process does at a time.
pub(super) fn create(pool: &Pool, model: Option<&ModelKey>) -> Result<()> {
    let schema = pool.address().schema();
    let done = pool.write(|tx| {
        // PostgreSQL's `IF NOT EXISTS` fails when two do it at once.
        tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('facerec', 0))", &[])?;
        let found = format(tx)?;
        let Some(model) = model.filter(|_| found.is_none()) else {
            if let Some(format) = found.filter(|&format| (1..FORMAT).contains(&format)) {
                take_steps(tx, format as usize)?;
                if format < CANONICAL_NAMES {
                    return edit::unite_names(tx, pool.actor());
                }
            }
            return Ok(((), None));
        };
        tx.batch("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public").map_err(|e| no_extension(tx, e))?;
        let home = tx.one(
            "SELECT quote_ident(nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'vector'",
            &[],
        )?;
        let home: String = home.get(0);
        tx.batch(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"; SET LOCAL search_path = \"{schema}\", {home}"))?;
        take_steps(tx, 0)?;
        let sql = "INSERT INTO state (id, format, generation, dim, model_id, model_hash) VALUES (1, $1, 0, 0, $2, $3)";
        tx.execute(sql, &[&FORMAT, &model.id, &model.hash])?;
        // The generation of a new gallery is 0, so this is no change as others are.
        Change::new(Action::Create).log(tx, pool.actor())?;
        Ok(((), None))
    });
    pool.renew();
    done
}

fn take_steps(tx: &mut Tx<'_>, from: usize) -> Result<(), Failure> {
    STEPS.iter().skip(from).filter(|step| !step.is_empty()).try_for_each(|step| tx.batch(step))?;
    tx.execute("UPDATE state SET format = $1", &[&FORMAT]).map(drop)
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
    let schema: Option<String> = tx.one("SELECT to_regclass('state')::text", &[])?.get(0);
    match schema {
        None => Ok(None),
        Some(_) => Ok(Some(tx.one("SELECT format FROM state", &[])?.get(0))),
    }
}

/// Refuses what is no gallery of this version.
pub(super) fn check(tx: &mut Tx<'_>) -> Result<(), Failure> {
    let found = format(tx)?.ok_or_else(|| {
        let text = "there is no gallery of this name in the database; enrol a face to create one";
        Error::io("open", tx.place(), std::io::Error::new(ErrorKind::NotFound, text))
    })?;
    match found {
        FORMAT => Ok(()),
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

/// The gallery as a whole.
pub(super) fn state(tx: &mut Tx<'_>) -> Result<State, Failure> {
    let sql = "SELECT generation, dim, model_id, model_hash, (SELECT count(*) FROM faces), (SELECT count(*) FROM persons) FROM state";
    let row = tx.one(sql, &[])?;
    let number = |column| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
    let model = ModelKey::new(row.get::<_, String>(2), row.get::<_, String>(3));
    let dim = usize::try_from(row.get::<_, i32>(1)).unwrap_or_default();
    Ok(State { generation: number(0), rewritten: 0, faces: number(4), persons: number(5), dim, model, unclean: false, marks: None })
}

/// The length of its vectors, 0 until there is one.
pub(super) fn dim(tx: &mut Tx<'_>) -> Result<usize, Failure> {
    let dim: i32 = tx.one("SELECT dim FROM state", &[])?.get(0);
    Ok(usize::try_from(dim).unwrap_or_default())
}

/// Makes sure that vectors of `wanted` values belong here. The first ones decide.
pub(super) fn fix_dim(tx: &mut Tx<'_>, wanted: usize) -> Result<(), Failure> {
    let mut found = dim(tx)?;
    if found == 0 {
        tx.execute("SELECT FROM state FOR UPDATE", &[])?;
        found = dim(tx)?;
    }
    if found == 0 {
        found = wanted;
        tx.execute("UPDATE state SET dim = $1", &[&(wanted as i32)])?;
        if wanted > MOST_IN_ROW {
            tx.batch("ALTER TABLE faces ALTER COLUMN vector SET STORAGE EXTERNAL")?;
        }
    }
    if found == wanted {
        return Ok(());
    }
    Err(Error::DimensionMismatch { what: "embedding", expected: found, actual: wanted }.into())
}
