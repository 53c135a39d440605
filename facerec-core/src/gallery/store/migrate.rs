//! From format 1 to the newest.

use rusqlite::{TransactionBehavior, params};

use super::schema::SCHEMA;
use super::{Edit, FORMAT, Snapshot, Store, error, now_ms};
use crate::error::Result;
use crate::gallery::audit::Action;

impl Store {
    /// Brings a gallery of format 1 to format 2, in one transaction. The rows keep their checksums; a damaged one stays damaged.
    pub(super) fn migrate(&mut self, actor: &str) -> Result<()> {
        let mut state = self.state()?;
        let folder = self.folder.clone();
        let fail = |e| error(&folder, "migrate", e);
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        let copy = || {
            tx.pragma_update(None, "user_version", FORMAT)?;
            // The index keeps its name, and a table its place in sqlite_sequence.
            tx.execute_batch("DROP INDEX faces_person; ALTER TABLE faces RENAME TO faces_1; ALTER TABLE persons RENAME TO persons_1")?;
            tx.execute_batch("DROP TABLE state")?;
            for (_, sql) in SCHEMA {
                tx.execute_batch(sql)?;
            }
            tx.execute_batch(
                "INSERT INTO persons (row, person, name, created_ms, checksum) \
                 SELECT id, id, name, created_ms, checksum FROM persons_1 ORDER BY id; \
                 INSERT INTO faces (id, person, vector, score, sharpness, yaw_deg, pitch_deg, roll_deg, face_px, exposure, source, \
                 digest, metadata, created_ms, checksum, pad) SELECT id, person, vector, score, sharpness, yaw_deg, pitch_deg, \
                 roll_deg, face_px, exposure, source, digest, metadata, created_ms, checksum, zeroblob(16) FROM faces_1 ORDER BY id",
            )?;
            for table in ["faces", "persons"] {
                let old = format!("{table}_1");
                // Ids that were given out and removed are not given out again.
                tx.execute(
                    "DELETE FROM sqlite_sequence WHERE name = ?1 AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?2)",
                    params![table, old],
                )?;
                tx.execute("UPDATE sqlite_sequence SET name = ?1 WHERE name = ?2", params![table, old])?;
                tx.execute_batch(&format!("DROP TABLE {table}_1"))?;
            }
            Ok(())
        };
        copy().map_err(fail)?;
        state.marks = Some(Snapshot::new(&folder, &tx, FORMAT, None).marks()?);
        state.unclean = true;
        let mut edit = Edit::new(&folder, tx, None, state, None, now_ms())?;
        edit.rewrite_all();
        edit.finish(Action::Migrate, actor)?;
        self.format = FORMAT;
        Ok(())
    }
}
