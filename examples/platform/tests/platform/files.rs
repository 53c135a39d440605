//! Files in JetStream: what is removed is gone, what is damaged is told apart from a server that is away, and parts are read alone.

use std::path::Path;
use std::sync::Arc;

use async_nats::jetstream::Context;
use bytes::Bytes;
use facerec_platform::blobs::Blobs;
use facerec_platform::nats::{self, NatsBlobs};
use tokio::io::AsyncReadExt;

use super::harness::config;
use super::nats_server::NatsServer;

struct Store {
    server: NatsServer,
    folder: tempfile::TempDir,
    context: Context,
    blobs: Arc<NatsBlobs>,
}

impl Store {
    async fn open() -> Option<Self> {
        let server = NatsServer::start()?;
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.nats = server.address();
        let context = nats::connect(&config).await.unwrap();
        let blobs = Arc::new(NatsBlobs::open(context.clone(), config.folder("copies").unwrap()).await.unwrap());
        Some(Self { server, folder, context, blobs })
    }

    /// How many messages the server has of subjects like this.
    async fn messages(&self, subjects: &str) -> usize {
        let stream = self.context.get_stream("OBJ_facerec-files").await.unwrap();
        let found = stream.info_builder().subjects(subjects).fetch().await.unwrap();
        futures_util::StreamExt::fold(found, 0, async |sum, one| sum + one.unwrap().1).await
    }
}

/// Two whole pieces and a bit, none like another.
fn large() -> Bytes {
    (0..(512 << 10) + 777_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_is_read_whole_in_parts_and_by_other_programs() {
    let Some(store) = Store::open().await else { return };
    let (blobs, bytes) = (&store.blobs, large());
    blobs.put("sessions/a/video", bytes.clone()).await.unwrap();
    blobs.put("sessions/a/1/2/boxes", Bytes::new()).await.unwrap();
    assert_eq!(blobs.get("sessions/a/video").await.unwrap().unwrap(), bytes);
    assert_eq!(blobs.get("sessions/a/1/2/boxes").await.unwrap().unwrap(), "");
    assert_eq!(blobs.get("sessions/b/video").await.unwrap(), None);
    let mut reading = blobs.open("sessions/a/video").await.unwrap().unwrap();
    assert_eq!(reading.size(), bytes.len() as u64);
    for at in [0, 1, 262_143, 262_144, 524_300] {
        let part = reading.read(at).await.unwrap();
        assert!(!part.is_empty() && bytes[at as usize..].starts_with(&part), "{at}");
    }
    let bucket = store.context.get_object_store("facerec-files").await.unwrap();
    let mut other = Vec::new();
    bucket.get("sessions/a/video").await.unwrap().read_to_end(&mut other).await.unwrap();
    assert!(other == bytes, "as the format of the object store says");
    // Put again: the old pieces are gone.
    blobs.put("sessions/a/video", Bytes::from_static(b"short")).await.unwrap();
    assert_eq!(blobs.get("sessions/a/video").await.unwrap().unwrap(), "short");
    assert_eq!(store.messages("$O.facerec-files.C.sessions.a.video.*").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_is_gone_though_an_earlier_try_was_cut_off() {
    let Some(store) = Store::open().await else { return };
    let blobs = &store.blobs;
    for key in ["sessions/a/video", "sessions/a/1/1/0", "sessions/a/1/1/boxes", "sessions/ab/video", "photos/a", "photos/ab"] {
        blobs.put(key, large()).await.unwrap();
    }
    // As after a process that was killed when it had removed the names and not yet the pieces.
    let stream = store.context.get_stream("OBJ_facerec-files").await.unwrap();
    let bucket = store.context.get_object_store("facerec-files").await.unwrap();
    stream.purge().filter("$O.facerec-files.M.c2Vzc2lvbnMvYS92aWRlbw==").await.unwrap();
    assert!(bucket.info("sessions/a/video").await.is_err());
    assert_eq!(blobs.get("sessions/a/video").await.unwrap(), None);
    let pieces = store.messages("$O.facerec-files.C.photos.a.*").await;
    assert_eq!(pieces, 3);
    let copy = blobs.fetch("photos/a").await.unwrap().unwrap();
    for key in ["sessions/a", "sessions/a", "photos/a", "photos/none"] {
        blobs.remove(key).await.unwrap();
    }
    assert!(!copy.exists());
    assert_eq!(store.messages("$O.facerec-files.C.sessions.a.>").await + store.messages("$O.facerec-files.C.photos.a.>").await, 0);
    assert_eq!(store.messages("$O.facerec-files.M.>").await, 2, "the names of the others");
    for other in ["sessions/ab/video", "photos/ab"] {
        assert_eq!(blobs.get(other).await.unwrap().unwrap(), large(), "{other}");
    }
    for bad in ["", "../x", "a//b", "a.b", "a/*", "a/>"] {
        assert!(blobs.put(bad, Bytes::new()).await.is_err() && blobs.remove(bad).await.is_err(), "{bad}");
    }
}

/// Whether these bytes are in a file in the folder or below it.
fn lies_in(folder: &Path, bytes: &[u8]) -> bool {
    folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() { lies_in(&path, bytes) } else { std::fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes) }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_what_was_removed_are_not_on_the_servers_disk() {
    let Some(store) = Store::open().await else { return };
    let face = |name: &str| Bytes::from(format!("the face of {name}, ").repeat(1000));
    for name in ["ana", "ben", "cyd"] {
        store.blobs.put(&format!("faces/{name}"), face(name)).await.unwrap();
    }
    let lies = |name: &str| lies_in(store.server.folder(), format!("the face of {name}").as_bytes());
    assert!(lies("ana") && lies("ben"));
    store.blobs.remove("faces/ben").await.unwrap();
    assert!(lies("ana") && !lies("ben") && lies("cyd"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_damaged_is_no_server_that_is_away() {
    let Some(store) = Store::open().await else { return };
    let stream = store.context.get_stream("OBJ_facerec-files").await.unwrap();
    for key in ["photos/a", "photos/b"] {
        store.blobs.put(key, large()).await.unwrap();
    }
    stream.delete_message(2).await.unwrap(); // a piece of the first
    let error = store.blobs.get("photos/a").await.unwrap_err();
    assert!(error.code() == "internal" && !error.is_outage() && error.to_string().contains("piece 1 is missing"), "{error}");
    assert!(store.blobs.fetch("photos/a").await.is_err());
    assert_eq!(store.blobs.get("photos/b").await.unwrap().unwrap(), large());
    let copies = store.folder.path().join("data/copies");
    let own = copies.read_dir().unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    assert_eq!(own.read_dir().unwrap().count(), 0, "half a copy does not stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_is_copied_once_however_many_want_it_and_pieces_of_a_broken_put_go() {
    let Some(store) = Store::open().await else { return };
    let file = store.folder.path().join("video");
    std::fs::write(&file, large()).unwrap();
    // A gateway that was killed while it handed the file over.
    let stray = "$O.facerec-files.C.sessions.a.video.0123";
    store.context.publish(stray, Bytes::from_static(b"half")).await.unwrap().await.unwrap();
    store.blobs.put_file("sessions/a/video", &file).await.unwrap();
    assert!(!file.exists());
    assert_eq!(store.messages("$O.facerec-files.C.>").await, 3);
    let fetch = || {
        let blobs = Arc::clone(&store.blobs);
        tokio::spawn(async move { blobs.fetch("sessions/a/video").await.unwrap().unwrap() })
    };
    let (broken_off, first, second) = (fetch(), fetch(), fetch());
    broken_off.abort();
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!((std::fs::read(&first).unwrap(), &first), (large().to_vec(), &second));
    assert_eq!(first.parent().unwrap().read_dir().unwrap().count(), 1, "one copy, and nothing half done");
    // Another process with the same data folder has copies of its own.
    let other = NatsBlobs::open(store.context.clone(), store.folder.path().join("data/copies")).await.unwrap();
    assert!(first.exists());
    assert_ne!(other.fetch("sessions/a/video").await.unwrap().unwrap(), first);
}
