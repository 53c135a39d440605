//! Large files in JetStream's object store, as other programs for it read and write them too, but for two things that the format
//! leaves open:
//!
//! - The pieces of the object `sessions/ID/video` travel as `$O.facerec-files.C.sessions.ID.video.VERSION`. What lies under a
//!   key, or half of a file that was never finished, is found and removed by that subject, at the cost of what there is.
//! - The numbers that the stream gave to the pieces are kept with the object: any piece can be read alone.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::object_store::{Config, ObjectInfo, ObjectOptions};
use async_nats::jetstream::stream::{DeleteMessageErrorKind, DirectGetErrorKind, LastRawMessageErrorKind, StorageType, Stream};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::copies::Copies;
use super::pieces::Pieces;
use super::tended::Tended;
use super::{PATIENCE, unavailable};
use crate::blobs::{Blobs, Reading};
use crate::error::{Error, Result};
use crate::ids::new_id;

const BUCKET: &str = "facerec-files";

/// Bytes of a piece: small beside the largest message of a server (1 MiB), and so that the numbers of 8 GiB fit into one.
const PIECE: usize = 256 << 10;

/// Pieces on their way at the same time.
const AT_ONCE: usize = 16;

/// Where an object keeps the numbers of its pieces.
const NUMBERS: &str = "pieces";

/// The object store.
pub struct NatsBlobs {
    tended: Tended,
    copies: Copies,
}

impl NatsBlobs {
    /// A store whose copies on this machine lie in a folder of their own in `copies`.
    ///
    /// # Errors
    /// `unavailable`, `io`.
    pub async fn open(context: Context, copies: PathBuf) -> Result<Self> {
        let copies = Copies::open(&copies)?;
        copies.forget_old();
        let config = Config { bucket: BUCKET.into(), storage: StorageType::File, ..Config::default() };
        // Made or found: whoever asks for the same bucket gets the same.
        context.create_object_store(config).await.map_err(unavailable("the object store"))?;
        let stream = context.get_stream(format!("OBJ_{BUCKET}")).await.map_err(unavailable("the object store"))?;
        let tended = Tended::over(context, "the object store", stream, format!("$O.{BUCKET}.C.anchor.*"));
        Ok(Self { tended, copies })
    }

    /// What is kept under `key`, from whoever leads: a follower may not know yet.
    async fn info(&self, key: &str) -> Result<Option<ObjectInfo>> {
        let asked = tokio::time::timeout(PATIENCE, self.tended.stream.get_last_raw_message_by_subject(&meta(key))).await;
        let message = match asked.map_err(unavailable("the object store"))? {
            Ok(message) => message,
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(None),
            Err(error) => return Err(unavailable("the object store")(error)),
        };
        let info: ObjectInfo = serde_json::from_slice(&message.payload).map_err(|error| damaged(key, &error.to_string()))?;
        Ok((!info.deleted).then_some(info))
    }

    async fn reading(&self, key: &str) -> Result<Option<NatsReading>> {
        let Some(info) = self.info(key).await? else { return Ok(None) };
        let pieces = info.metadata.get(NUMBERS).and_then(|text| Pieces::parse(text));
        let pieces = pieces.filter(|pieces| pieces.count() == info.size.div_ceil(PIECE).max(1) as u64);
        let pieces = pieces.ok_or_else(|| damaged(key, "the numbers of its pieces are missing"))?;
        Ok(Some(NatsReading { stream: self.tended.stream.clone(), key: key.to_owned(), info, pieces }))
    }

    async fn write(&self, key: &str, mut bytes: impl AsyncRead + Unpin) -> Result<()> {
        let version = format!("{}.{}", tokens(key)?, new_id());
        let before = self.info(key).await?;
        let written = self.write_pieces(key, &version, &mut bytes).await;
        let stale = match (&written, before) {
            (Err(_), _) => Some(version),
            (Ok(()), before) => before.map(|info| info.nuid),
        };
        if let Some(stale) = stale
            && let Err(error) = self.purge(format!("$O.{BUCKET}.C.{stale}")).await
        {
            // They go with the key.
            tracing::warn!(%error, "pieces of a file stay that nobody reads");
        }
        written
    }

    async fn write_pieces(&self, key: &str, version: &str, bytes: &mut (impl AsyncRead + Unpin)) -> Result<()> {
        let subject = format!("$O.{BUCKET}.C.{version}");
        let (mut pieces, mut digest, mut size, mut sent) = (Pieces::default(), Sha256::new(), 0, VecDeque::new());
        loop {
            let piece = next_piece(bytes).await?;
            // What is empty has one empty piece, by which it is found.
            let last = piece.len() < PIECE;
            if !piece.is_empty() || size == 0 {
                digest.update(&piece);
                size += piece.len();
                sent.push_back(self.tended.context.publish(subject.clone(), piece).await.map_err(unavailable("the object store"))?);
            }
            while sent.len() >= AT_ONCE || (last && !sent.is_empty()) {
                let Some(oldest) = sent.pop_front() else { break };
                pieces.push(oldest.await.map_err(unavailable("the object store"))?.sequence);
            }
            if last {
                break;
            }
        }
        let info = ObjectInfo {
            name: key.to_owned(),
            description: None,
            metadata: [(NUMBERS.to_owned(), pieces.to_string())].into(),
            headers: None,
            options: Some(ObjectOptions { link: None, max_chunk_size: Some(PIECE) }),
            bucket: BUCKET.to_owned(),
            nuid: version.to_owned(),
            size,
            chunks: usize::try_from(pieces.count()).unwrap_or_default(),
            modified: None,
            digest: Some(digest_of(digest)),
            deleted: false,
        };
        let text = serde_json::to_vec(&info).map_err(|error| Error::Internal(format!("an object cannot be described: {error}")))?;
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_ROLLUP, "sub");
        let sent =
            self.tended.context.publish_with_headers(meta(key), headers, text.into()).await.map_err(unavailable("the object store"))?;
        let kept = sent.await.map_err(unavailable("the object store"))?;
        // A server that does not give back what it takes must not be believed.
        let read = tokio::time::timeout(PATIENCE, self.tended.stream.get_last_raw_message_by_subject(&meta(key))).await;
        let read = read.map_err(unavailable("the object store"))?.map_err(unavailable("the object store"))?;
        if read.sequence < kept.sequence {
            return Err(unavailable("the object store")("it does not give back what it took"));
        }
        Ok(())
    }

    async fn purge(&self, subject: String) -> Result<()> {
        let purged = tokio::time::timeout(6 * PATIENCE, self.tended.stream.purge().filter(&subject)).await;
        purged.map_err(unavailable("the object store"))?.map(|_| ()).map_err(unavailable("the object store"))
    }

    /// Overwrites pieces on the server's disk.
    async fn erase(&self, pieces: Pieces) -> Result<()> {
        let erase = |sequence: u64| async move {
            match tokio::time::timeout(PATIENCE, self.tended.stream.delete_message(sequence))
                .await
                .map_err(unavailable("the object store"))?
            {
                // Refused: it is gone already.
                Err(error) if !matches!(error.kind(), DeleteMessageErrorKind::JetStream(_)) => Err(unavailable("the object store")(error)),
                _ => Ok(()),
            }
        };
        let numbers = (0..pieces.count()).filter_map(|piece| pieces.sequence(piece)).collect::<Vec<_>>();
        futures_util::stream::iter(numbers).map(erase).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn remove_one(&self, key: String, version: String) -> Result<()> {
        match self.info(&key).await {
            Ok(info) => {
                let pieces = info.and_then(|info| Pieces::parse(info.metadata.get(NUMBERS)?));
                self.erase(pieces.unwrap_or_default()).await?;
            }
            Err(error) if error.is_outage() => return Err(error),
            Err(_) => {} // what is damaged goes too
        }
        self.purge(meta(&key)).await?;
        self.copies.remove(&format!("{}.{version}", tokens(&key)?)).await;
        Ok(())
    }

    /// Every key that is `prefix` or below it, finished or not, and the versions of its pieces.
    async fn below(&self, prefix: &str) -> Result<BTreeSet<(String, String)>> {
        let start = format!("$O.{BUCKET}.C.");
        let found = async {
            let subjects = self.tended.stream.info_builder().subjects(format!("{start}{}.>", tokens(prefix)?)).fetch().await;
            let subjects = subjects.map_err(unavailable("the object store"))?;
            subjects.map_ok(|(subject, _)| subject).try_collect::<Vec<String>>().await.map_err(unavailable("the object store"))
        };
        let found = tokio::time::timeout(6 * PATIENCE, found).await.map_err(unavailable("the object store"))??;
        let split = |subject: &String| {
            let (key, version) = subject.strip_prefix(&start)?.rsplit_once('.')?;
            Some((key.replace('.', "/"), version.to_owned()))
        };
        Ok(found.iter().filter_map(split).collect())
    }
}

/// A key as the end of a subject.
fn tokens(key: &str) -> Result<String> {
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    // Keys are the platform's own; this is the second lock on the door.
    if !key.split('/').all(plain) {
        return Err(Error::Internal("a key that is no subject".into()));
    }
    Ok(key.replace('/', "."))
}

/// Where the object store keeps what it knows of an object.
fn meta(key: &str) -> String {
    format!("$O.{BUCKET}.M.{}", URL_SAFE.encode(key))
}

fn digest_of(digest: Sha256) -> String {
    format!("SHA-256={}", URL_SAFE.encode(digest.finalize()))
}

/// Not an outage: another try finds the same.
fn damaged(key: &str, why: &str) -> Error {
    Error::Internal(format!("`{key}` is damaged in the object store: {why}"))
}

async fn next_piece(bytes: &mut (impl AsyncRead + Unpin)) -> Result<Bytes> {
    let mut piece = BytesMut::with_capacity(PIECE);
    let mut rest = bytes.take(PIECE as u64);
    while rest.read_buf(&mut piece).await? > 0 {}
    Ok(piece.freeze())
}

#[async_trait]
impl Blobs for NatsBlobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        // A put of small things that hangs is a server that went away.
        let written = tokio::time::timeout(6 * PATIENCE, self.write(key, &bytes[..])).await;
        written.map_err(unavailable("the object store"))?
    }

    async fn put_file(&self, key: &str, path: &Path) -> Result<()> {
        if self.info(key).await?.is_none() {
            // What somebody left there who was killed.
            self.purge(format!("$O.{BUCKET}.C.{}.*", tokens(key)?)).await?;
        }
        self.write(key, tokio::fs::File::open(path).await?).await?;
        Ok(tokio::fs::remove_file(path).await?)
    }

    async fn has(&self, key: &str) -> Result<bool> {
        Ok(self.info(key).await?.is_some())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let whole = async {
            let Some(reading) = self.reading(key).await? else { return Ok(None) };
            let mut bytes = Vec::with_capacity(reading.info.size);
            reading.copy_to(&mut bytes).await?;
            Ok(Some(bytes.into()))
        };
        tokio::time::timeout(6 * PATIENCE, whole).await.map_err(unavailable("the object store"))?
    }

    async fn open(&self, key: &str) -> Result<Option<Box<dyn Reading>>> {
        Ok(self.reading(key).await?.map(|reading| Box::new(reading) as Box<dyn Reading>))
    }

    async fn fetch(&self, key: &str) -> Result<Option<PathBuf>> {
        let Some(reading) = self.reading(key).await? else { return Ok(None) };
        let name = reading.info.nuid.clone();
        let _turn = self.copies.turn(&name).await;
        if let Some(copy) = self.copies.find(&name).await {
            return Ok(Some(copy));
        }
        let unfinished = self.copies.begin();
        let mut file = tokio::fs::File::create(&unfinished.0).await?;
        reading.copy_to(&mut file).await?;
        file.flush().await?;
        Ok(Some(self.copies.finish(unfinished, &name).await?))
    }

    /// The pieces are overwritten first, since a purge leaves their bytes on the server's disk until it needs the room. Then the names
    /// go, and last whatever else has the subject, by which whoever is interrupted finds the rest.
    async fn remove(&self, prefix: &str) -> Result<()> {
        let found = self.below(prefix).await?;
        self.tended.anchor().await?;
        let removed = futures_util::stream::iter(found).map(|(key, version)| self.remove_one(key, version));
        removed.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        self.purge(format!("$O.{BUCKET}.C.{}.>", tokens(prefix)?)).await
    }
}

/// An object, read piece by piece.
struct NatsReading {
    stream: Stream,
    key: String,
    info: ObjectInfo,
    pieces: Pieces,
}

impl NatsReading {
    async fn piece(&self, number: u64) -> Result<Bytes> {
        let sequence = self.pieces.sequence(number).ok_or_else(|| damaged(&self.key, "a piece has no number"))?;
        let missing = || damaged(&self.key, &format!("piece {number} is missing"));
        let got = async {
            match self.stream.direct_get(sequence).await {
                Ok(message) => return Ok((message.subject, message.payload)),
                Err(error) if error.kind() != DirectGetErrorKind::NotFound => return Err(unavailable("the object store")(error)),
                Err(_) => {}
            }
            // Not there, or not there yet: whoever leads knows.
            match self.stream.get_raw_message(sequence).await {
                Ok(message) => Ok((message.subject, message.payload)),
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Err(missing()),
                Err(error) => Err(unavailable("the object store")(error)),
            }
        };
        let (subject, bytes) = tokio::time::timeout(2 * PATIENCE, got).await.map_err(unavailable("the object store"))??;
        let length = (self.info.size as u64 - number * PIECE as u64).min(PIECE as u64);
        let ours = subject.strip_prefix(&*format!("$O.{BUCKET}.C.")).is_some_and(|version| version == self.info.nuid);
        if ours && bytes.len() as u64 == length { Ok(bytes) } else { Err(missing()) }
    }

    /// Writes all of it, and then knows whether it is what was put.
    async fn copy_to(self, to: &mut (impl AsyncWrite + Unpin + Send)) -> Result<()> {
        let reading = Arc::new(self);
        let piece = |number: u64| {
            let reading = Arc::clone(&reading);
            async move { reading.piece(number).await }
        };
        let mut digest = Sha256::new();
        let mut pieces = futures_util::stream::iter(0..reading.pieces.count()).map(piece).buffered(AT_ONCE);
        while let Some(piece) = pieces.try_next().await? {
            digest.update(&piece);
            to.write_all(&piece).await?;
        }
        let same = reading.info.digest.as_ref().is_none_or(|known| *known == digest_of(digest));
        if same { Ok(()) } else { Err(damaged(&reading.key, "its bytes are not those that were put")) }
    }
}

#[async_trait]
impl Reading for NatsReading {
    fn size(&self) -> u64 {
        self.info.size as u64
    }

    async fn read(&mut self, at: u64) -> Result<Bytes> {
        let piece = self.piece(at / PIECE as u64).await?;
        let skip = usize::try_from(at % PIECE as u64).unwrap_or_default();
        Ok(piece.slice(skip.min(piece.len())..))
    }
}
