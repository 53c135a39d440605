//! Detection and data processing as services: what comes back is what the models in one process give.

use std::net::SocketAddr;

use facerec_core::Image;
use facerec_platform::config::Config;
use facerec_platform::inference::{client, server, wire};
use facerec_platform::run;
use tokio::sync::{oneshot, watch};

use super::harness::config;
use super::people::{BLUE, GREEN, RED, photo, picture, vision};

struct Service {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

async fn service(folder: &std::path::Path, which: run::Service) -> Service {
    service_of(config(folder), which).await
}

async fn service_of(mut config: Config, which: run::Service) -> Service {
    config.grpc_listen = ([127, 0, 0, 1], 0).into();
    let (stop, stopped) = watch::channel(false);
    let (send, started) = oneshot::channel();
    let task = tokio::spawn(async move {
        run::serve(which, config, vision(), stopped, |address| send.send(address).unwrap()).await.unwrap();
    });
    Service { address: started.await.unwrap(), stop, task }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_answer_as_one_process_does() {
    let folder = tempfile::tempdir().unwrap();
    let one = service(folder.path(), run::Service::Detection).await;
    let two = service(folder.path(), run::Service::Detection).await;
    let processing = service(folder.path(), run::Service::DataProcessing).await;
    let mut config = config(folder.path());
    config.detection = format!("http://{},http://{}", one.address, two.address);
    config.data_processing = format!("http://{}", processing.address);
    config.check().unwrap();
    let remote = client::connect(&config).await.unwrap();
    let local = vision();
    assert_eq!((remote.compare, remote.identify), (local.compare, local.identify));
    assert_eq!(remote.embedder.model_key(), local.embedder.model_key());
    assert_eq!(remote.embedder.template(), local.embedder.template());

    let (here, there) = (local.clone(), remote.clone());
    let compare = move || {
        let pictures = [picture(&[(RED, 10), (GREEN, 200)]), picture(&[]), picture(&[(BLUE, 50)])];
        let views: Vec<_> = pictures.iter().map(Image::view).collect();
        assert_eq!(there.detector.detect_batch(&views).unwrap(), here.detector.detect_batch(&views).unwrap());
        let faces = there.analyzer().embed(&pictures[0]).unwrap();
        assert_eq!(faces, here.analyzer().embed(&pictures[0]).unwrap());
        // Two pictures of no size that fits: the caller's mistake, and the service goes on.
        assert!(there.embedder.embed_batch(&[Image::filled(5, 5, [0; 3])]).is_err());
        assert_eq!(there.analyzer().embed(&pictures[2]).unwrap().len(), 1);
    };
    tokio::task::spawn_blocking(compare.clone()).await.unwrap();
    // One of two detection services ends: the other answers.
    one.stop.send_replace(true);
    one.task.await.unwrap();
    tokio::task::spawn_blocking(compare).await.unwrap();

    gallery(&processing, &local).await;
    // A whole platform over services.
    let mut config = super::harness::config(folder.path());
    config.data = folder.path().join("platform");
    tokio::task::spawn_blocking(move || {
        let platform = super::harness::start_with(config, remote);
        let ana = platform.enrol("Ana", &photo(&[(RED, 40)]));
        assert_eq!(ana["state"], "accepted", "{ana}");
        let found = platform.photo("/v1/search", &photo(&[(RED, 100)])).expect(200);
        assert_eq!(found["faces"][0]["person"], "Ana", "{found}");
    })
    .await
    .unwrap();
    for service in [two, processing] {
        service.stop.send_replace(true);
        service.task.await.unwrap();
    }
}

async fn gallery(processing: &Service, local: &facerec_platform::vision::Vision) {
    let address = format!("http://{}", processing.address);
    let mut client = wire::data_processing_client::DataProcessingClient::connect(address).await.unwrap();
    let face = local.analyzer().embed(&picture(&[(RED, 10)])).unwrap().remove(0).embedding.unwrap();
    let vector = wire::Vector { values: face.as_slice().to_vec() };
    let enrol = wire::EnrolRequest { person: "Ana".into(), vector: Some(vector.clone()), source: "a".into() };
    let first = client.enrol(enrol.clone()).await.unwrap().into_inner();
    assert_eq!(client.enrol(enrol.clone()).await.unwrap().into_inner(), first, "from one source once");
    let search = wire::SearchRequest { vectors: vec![vector], candidates: 0 };
    let found = client.search(search.clone()).await.unwrap().into_inner().decisions.remove(0);
    assert_eq!((found.person_id, found.name.as_str(), found.reason.as_str()), (Some(first.person_id), "Ana", "match"));
    assert_eq!(client.remove(wire::RemoveRequest { person: "Ana".into() }).await.unwrap().into_inner().faces, 1);
    let gone = client.remove(wire::RemoveRequest { person: "Ana".into() }).await.unwrap_err();
    assert_eq!(gone.code(), tonic::Code::NotFound);
    assert_eq!(client.search(search).await.unwrap().into_inner().decisions[0].person_id, None);
    let bad = client.enrol(wire::EnrolRequest { vector: None, ..enrol }).await.unwrap_err();
    assert_eq!(bad.code(), tonic::Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_know_the_token_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.grpc_listen = ([0, 0, 0, 0], 0).into();
    let (_stop, stopped) = watch::channel(false);
    let error = server::serve(&config, vision(), true, None, stopped, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("service_token"), "others could reach it: {error}");

    let with_token = |token: &str| {
        let mut config = super::harness::config(folder.path());
        config.service_token = token.into();
        config
    };
    let detection = service_of(with_token("open sesame"), run::Service::Detection).await;
    let processing = service_of(with_token("open sesame"), run::Service::DataProcessing).await;
    for (token, knows) in [("open sesame", true), ("open", false), ("", false)] {
        let mut config = with_token(token);
        (config.detection, config.data_processing) = (format!("http://{}", detection.address), format!("http://{}", processing.address));
        match client::connect(&config).await {
            Ok(_) => assert!(knows, "`{token}` is not the token"),
            Err(error) => assert!(!knows && error.to_string().contains("service_token"), "{error}"),
        }
    }
    let mut client = wire::detection_client::DetectionClient::connect(format!("http://{}", detection.address)).await.unwrap();
    let refused = client.detect(wire::Frame::default()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(folder.path());
    config.grpc_listen = held.local_addr().unwrap();
    let (_stop, stopped) = watch::channel(false);
    let error = server::serve(&config, vision(), true, None, stopped, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("grpc_listen"), "{error}");
}
