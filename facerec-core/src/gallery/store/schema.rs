//! The tables of a gallery.
//!
//! Forgetting decides their shape. SQLite's `secure_delete` overwrites the cell of a removed row, but when it moves cells between
//! pages (a row that grew, a page that became too empty, an index entry in the middle) it leaves copies in the pages' free space,
//! which nothing overwrites later. So no cell with a vector, a name or a text is ever moved:
//!
//! - rows are only appended; a person's new name is a new row;
//! - a row is not deleted but emptied: every column but its number becomes NULL, and SQLite overwrites the rest in place;
//! - a row that changes keeps its length (`pad` gives way when another column grows);
//! - no index holds anything but ids and times.
//!
//! What is left of an emptied row takes some 20 bytes. `compact` gives the space back by writing the whole file anew.

/// Name and definition of every table and index. They are compared with the file's when it is opened.
pub(super) const SCHEMA: [(&str, &str); 8] = [
    (
        "state",
        "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, rewritten INTEGER NOT NULL, \
         faces INTEGER NOT NULL, persons INTEGER NOT NULL, dim INTEGER NOT NULL, model_id TEXT NOT NULL, model_hash TEXT NOT NULL, \
         unclean INTEGER NOT NULL, marks BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT",
    ),
    (
        "persons",
        "CREATE TABLE persons (row INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER, name TEXT, sealed BLOB, created_ms INTEGER, \
         checksum INTEGER) STRICT",
    ),
    ("persons_person", "CREATE INDEX persons_person ON persons (person) WHERE person IS NOT NULL"),
    (
        "faces",
        "CREATE TABLE faces (id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER, vector BLOB, score REAL, sharpness REAL, \
         yaw_deg REAL, pitch_deg REAL, roll_deg REAL, face_px REAL, exposure REAL, source TEXT, digest TEXT, metadata TEXT, \
         sealed BLOB, created_ms INTEGER, expires_ms INTEGER, checksum INTEGER, pad BLOB) STRICT",
    ),
    ("faces_person", "CREATE INDEX faces_person ON faces (person) WHERE person IS NOT NULL"),
    ("faces_expiry", "CREATE INDEX faces_expiry ON faces (expires_ms) WHERE expires_ms IS NOT NULL"),
    (
        "key",
        "CREATE TABLE key (id INTEGER PRIMARY KEY CHECK (id = 1), salt BLOB NOT NULL, memory_kib INTEGER, passes INTEGER, \
         lanes INTEGER, sealed BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT",
    ),
    (
        "audit",
        "CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, actor TEXT, action TEXT, persons TEXT, \
         faces TEXT, sealed BLOB, checksum INTEGER) STRICT",
    ),
];

/// The tables of format 1.
pub(super) const SCHEMA_1: [(&str, &str); 4] = [
    (
        "state",
        "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, rewritten INTEGER NOT NULL, \
         faces INTEGER NOT NULL, persons INTEGER NOT NULL, dim INTEGER NOT NULL, model_id TEXT NOT NULL, model_hash TEXT NOT NULL, \
         checksum INTEGER NOT NULL) STRICT",
    ),
    (
        "persons",
        "CREATE TABLE persons (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL, \
         checksum INTEGER NOT NULL) STRICT",
    ),
    (
        "faces",
        "CREATE TABLE faces (id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL REFERENCES persons (id), \
         vector BLOB NOT NULL, score REAL, sharpness REAL, yaw_deg REAL, pitch_deg REAL, roll_deg REAL, face_px REAL, exposure REAL, \
         source TEXT, digest TEXT, metadata TEXT, created_ms INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT",
    ),
    ("faces_person", "CREATE INDEX faces_person ON faces (person)"),
];

/// How the rows of a format are read, in the shape of the newest.
pub(super) struct Columns {
    pub(super) state: &'static str,
    pub(super) persons: &'static str,
    pub(super) faces: &'static str,
}

pub(super) const COLUMNS: Columns = Columns {
    state: "generation, rewritten, faces, persons, dim, model_id, model_hash, unclean, marks, checksum",
    persons: "persons",
    faces: "faces",
};
pub(super) const COLUMNS_1: Columns = Columns {
    state: "generation, rewritten, faces, persons, dim, model_id, model_hash, 0, NULL, checksum",
    persons: "(SELECT id AS row, id AS person, name, NULL AS sealed, created_ms, checksum FROM persons)",
    faces: "(SELECT *, NULL AS sealed, NULL AS expires_ms, NULL AS pad FROM faces)",
};

pub(super) const PERSON: &str = "row, person, name, sealed, created_ms, checksum";
pub(super) const FACE: &str = "id, person, vector, score, sharpness, yaw_deg, pitch_deg, roll_deg, face_px, exposure, \
                               source, digest, metadata, sealed, created_ms, expires_ms, checksum";
pub(super) const AUDIT: &str = "id, at_ms, actor, action, persons, faces, sealed, checksum";
