//! The stream of results, from workers to the forwarder.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use tokio::sync::Notify;

use crate::db::Db;
use crate::error::{Error, Result};
use crate::jobs::Claim;

/// What a worker reports about a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The job.
    pub job: String,
    /// The worker's attempt.
    pub attempt: i64,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// How far a video has been looked through.
    Progress {
        /// From 0 to 1.
        progress: f64,
        /// Frames so far.
        frames: i64,
    },
    /// A person's track through the video.
    Track(Box<Track>),
    /// The video is done.
    Done {
        /// How many tracks were reported.
        tracks: i64,
        /// Frames of the video.
        frames: i64,
        /// Length of the video in ms.
        duration_ms: i64,
    },
    /// The face of the photo is in the gallery.
    Accepted {
        /// The person.
        person_id: String,
        /// The face.
        face_id: String,
    },
    /// The photo was refused.
    Rejected {
        /// Why: a code.
        reason: String,
    },
    /// The job cannot be done.
    Failed {
        /// Why.
        error: String,
    },
}

/// A track as it travels and as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// Number in the video.
    pub track: i64,
    /// Who it is.
    pub person_id: Option<String>,
    /// That person's name.
    pub person: Option<String>,
    /// The rest.
    pub document: TrackDocument,
}

/// What is known of a track but its person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the fields of the HTTP contract, one to one
pub struct TrackDocument {
    pub similarity: f32,
    pub threshold: f32,
    pub margin: f32,
    pub reason: String,
    pub start_ms: i64,
    pub end_ms: i64,
    pub frames: u64,
    pub spans_ms: Vec<[i64; 2]>,
    pub shots: Vec<Shot>,
    pub candidates: Vec<CandidateDocument>,
}

/// A best shot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Shot {
    pub ms: i64,
    pub frame: u64,
    #[serde(rename = "box")]
    pub rect: [f32; 4],
    pub quality: f32,
    /// The face's vector, kept so that an unknown person can be enrolled from the session.
    pub vector: Vec<f32>,
}

/// A person who was considered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CandidateDocument {
    pub person_id: String,
    pub person: String,
    pub similarity: f32,
}

impl Message {
    /// The message as it travels. One that could not be read again, such as one with a number that is not finite, is refused here,
    /// where it is the fault of one job, and not at the other end.
    ///
    /// # Errors
    /// `internal`.
    pub fn write(&self) -> Result<String> {
        let text = serde_json::to_string(self).map_err(|e| e.to_string());
        let text = text.and_then(|text| Self::read(text.as_bytes()).map(|_| text).map_err(|unreadable| unreadable.error));
        text.map_err(|why| Error::Internal(format!("a result cannot be sent, a number in it may not be finite: {why}")))
    }

    /// The message that travelled as `text`.
    ///
    /// # Errors
    /// The text again, with what is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, Unreadable> {
        // PostgreSQL keeps every character but this one.
        let whole = || String::from_utf8_lossy(text).replace('\0', "\u{fffd}");
        serde_json::from_slice(text).map_err(|error| Unreadable { text: whole(), error: error.to_string() })
    }
}

/// A message that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// As it came.
    pub text: String,
    /// What is wrong with it.
    pub error: String,
}

impl Unreadable {
    /// Whose message it is, if so much can be read of it.
    pub fn claim(&self) -> Option<Claim> {
        let whole: serde_json::Value = serde_json::from_str(&self.text).ok()?;
        Some(Claim { id: whole["job"].as_str()?.to_owned(), attempt: whole["attempt"].as_i64()?, ..Claim::default() })
    }
}

/// A message that was taken and not yet acknowledged.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The message.
    pub message: Result<Message, Unreadable>,
    /// What acknowledges it.
    pub token: i64,
}

/// Most messages that are taken at once. Fewer: there were no others at that moment.
pub const MOST: usize = 200;

/// Carries messages from workers to the forwarder: each at least once, those of one worker in order.
#[async_trait]
pub trait Results: Send + Sync {
    /// Hands over a message; when it returns, the message is safe.
    async fn publish(&self, message: &Message) -> Result<()>;

    /// The oldest messages, up to [`MOST`]; empty when there were none for a while.
    async fn take(&self) -> Result<Vec<Taken>>;

    /// The message was written or set aside and need not come again.
    async fn acknowledge(&self, taken: &Taken) -> Result<()>;
}

/// The database as the stream.
pub struct SqlResults {
    db: Db,
    wake: Notify,
}

/// How often the database is asked for messages of other processes.
const POLL: Duration = Duration::from_millis(200);

impl SqlResults {
    /// A stream in `db`.
    pub fn new(db: Db) -> Self {
        Self { db, wake: Notify::new() }
    }
}

#[async_trait]
impl Results for SqlResults {
    async fn publish(&self, message: &Message) -> Result<()> {
        let text = message.write()?;
        sqlx::query("INSERT INTO result (message) VALUES ($1)").bind(text).execute(self.db.pool()).await?;
        self.wake.notify_one();
        Ok(())
    }

    async fn take(&self) -> Result<Vec<Taken>> {
        let select = || sqlx::query("SELECT seq, message FROM result ORDER BY seq LIMIT $1").bind(MOST as i64).fetch_all(self.db.pool());
        let mut rows = select().await?;
        if rows.is_empty() {
            let _ = tokio::time::timeout(POLL, self.wake.notified()).await;
            rows = select().await?;
        }
        let mut taken = Vec::with_capacity(rows.len());
        for row in rows {
            let text: String = row.try_get("message")?;
            taken.push(Taken { message: Message::read(text.as_bytes()), token: row.try_get("seq")? });
        }
        Ok(taken)
    }

    async fn acknowledge(&self, taken: &Taken) -> Result<()> {
        sqlx::query("DELETE FROM result WHERE seq = $1").bind(taken.token).execute(self.db.pool()).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_again_is_not_sent() {
        let message = |progress| Message { job: "a".into(), attempt: 2, what: What::Progress { progress, frames: 3 } };
        let good = message(0.5);
        assert_eq!(Message::read(good.write().unwrap().as_bytes()).unwrap(), good);
        assert_eq!(message(f64::NAN).write().unwrap_err().code(), "internal");
        // As another version might write it.
        let other = Message::read(br#"{"job":"a","attempt":2,"what":{"type":"smell"}}"#).unwrap_err();
        assert_eq!(other.claim().map(|claim| (claim.id, claim.attempt)), Some(("a".into(), 2)));
        assert_eq!(Message::read(b"\0").unwrap_err().claim(), None);
    }
}
