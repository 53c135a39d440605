//! Detection and embedding by services elsewhere. Their calls wait: they are made from threads that may.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use facerec_core::{
    Detect, Detection, Embed, Embedding, Image, ImageView, Landmarks, ModelKey, Point, Recognisability, Rect, Result as CoreResult,
};
use tokio::runtime::Handle;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};

use super::token::Say;
use super::wire::data_processing_client::DataProcessingClient;
use super::wire::detection_client::DetectionClient;
use super::{MOST_BYTES, wire};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::vision::{Vision, remote_error};

/// How long a call is made again when the service does not answer: as long as a restart takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The first wait between two calls, and the longest. The very first repetition waits for nothing: of several services, another may
/// answer.
const WAITS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// A way to a service on which every call says the token.
type Way = InterceptedService<Channel, Say>;

/// A way to `address`, or to several separated by commas, which share the calls.
fn way(config: &Config, address: &str) -> Result<Way> {
    let bad = |error: tonic::transport::Error| Error::Config(format!("cannot use the address `{address}`: {error}"));
    let endpoint = |one: &str| {
        let mut endpoint = Endpoint::from_shared(one.trim().to_owned()).map_err(bad)?.connect_timeout(Duration::from_secs(5));
        endpoint = endpoint.timeout(Duration::from_secs(60)).keep_alive_while_idle(true).http2_keep_alive_interval(Duration::from_secs(10));
        if one.trim().starts_with("https://") {
            let mut tls = ClientTlsConfig::new();
            if let Some(authority) = &config.tls_authority {
                tls = tls.ca_certificate(Certificate::from_pem(std::fs::read(authority)?));
            }
            endpoint = endpoint.tls_config(tls).map_err(bad)?;
        }
        Ok::<_, Error>(endpoint)
    };
    let mut endpoints = address.split(',').map(endpoint).collect::<Result<Vec<_>>>()?;
    let channel = match (endpoints.pop(), endpoints.is_empty()) {
        (Some(only), true) => only.connect_lazy(),
        (last, _) => Channel::balance_list(endpoints.into_iter().chain(last)),
    };
    Ok(InterceptedService::new(channel, Say::new(&config.service_token)?))
}

fn is_away(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
}

/// Makes a call until the service answers.
async fn patiently<T, F: Future<Output = Result<T, Status>>>(service: &str, call: impl Fn() -> F) -> CoreResult<T> {
    let (start, mut wait) = (Instant::now(), Duration::ZERO);
    loop {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(status) if start.elapsed() < PATIENCE && is_away(&status) => {
                if wait == WAITS.1 {
                    tracing::warn!(service, %status, "does not answer; trying again");
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).clamp(WAITS.0, WAITS.1);
            }
            Err(status) if is_away(&status) => {
                let source = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, status.message().to_owned());
                return Err(facerec_core::Error::Io { action: "reach", path: service.into(), source });
            }
            Err(status) => return Err(remote_error(service, status.message())),
        }
    }
}

/// A detection service.
pub struct RemoteDetector {
    client: DetectionClient<Way>,
    runtime: Handle,
}

impl Detect for RemoteDetector {
    fn detect_batch(&self, images: &[ImageView<'_>]) -> CoreResult<Vec<Vec<Detection>>> {
        self.call(images, false)
    }

    fn detect_frames(&self, frames: &[ImageView<'_>]) -> CoreResult<Vec<Vec<Detection>>> {
        self.call(frames, true)
    }
}

impl RemoteDetector {
    fn call(&self, images: &[ImageView<'_>], video: bool) -> CoreResult<Vec<Vec<Detection>>> {
        let frame = |(id, image): (usize, &ImageView<'_>)| wire::Frame {
            id: id as u64,
            width: image.width(),
            height: image.height(),
            rgb: image.to_rgb().into_owned().into(),
            video,
        };
        let frames: Vec<_> = images.iter().enumerate().map(frame).collect();
        let call = || {
            let (mut client, frames) = (self.client.clone(), wire::Frames { frames: frames.clone() });
            async move { client.detect_batch(frames).await.map(tonic::Response::into_inner) }
        };
        let answer = self.runtime.block_on(patiently("detection", call))?;
        if answer.frames.len() != images.len() {
            return Err(remote_error("detection", format!("expected {} answers, got `{}`", images.len(), answer.frames.len())));
        }
        answer.frames.into_iter().map(|faces| faces.faces.into_iter().map(received).collect()).collect()
    }
}

fn points(values: &[f32]) -> Option<[Point; 5]> {
    let points: Vec<Point> = values.chunks_exact(2).map(|pair| Point::new(pair[0], pair[1])).collect();
    points.try_into().ok()
}

fn received(face: wire::Face) -> CoreResult<Detection> {
    let landmarks = points(&face.landmarks).ok_or_else(|| remote_error("detection", "expected five landmarks"))?;
    Ok(Detection { rect: Rect::new(face.x1, face.y1, face.x2, face.y2), score: face.score, landmarks: Landmarks(landmarks) })
}

/// A data processing service.
pub struct RemoteEmbedder {
    client: DataProcessingClient<Way>,
    runtime: Handle,
    key: Arc<ModelKey>,
    template: ([Point; 5], u32),
}

impl Embed for RemoteEmbedder {
    fn model_key(&self) -> &Arc<ModelKey> {
        &self.key
    }

    fn template(&self) -> ([Point; 5], u32) {
        self.template
    }

    fn embed_batch(&self, aligned: &[Image]) -> CoreResult<Vec<Embedding>> {
        let crops: Vec<Bytes> = aligned.iter().map(|face| Bytes::copy_from_slice(face.data())).collect();
        let call = || {
            let (mut client, crops) = (self.client.clone(), wire::Crops { rgb: crops.clone() });
            async move { client.embed(crops).await.map(tonic::Response::into_inner) }
        };
        let answer = self.runtime.block_on(patiently("data-processing", call))?;
        if answer.vectors.len() != aligned.len() {
            return Err(remote_error("data-processing", format!("expected {} vectors, got `{}`", aligned.len(), answer.vectors.len())));
        }
        answer.vectors.into_iter().map(|vector| Embedding::new(Arc::clone(&self.key), vector.values)).collect()
    }
}

/// Detection and embedding by the services that the configuration names. They are waited for.
///
/// # Errors
/// `config` for addresses that cannot be used, `inference` when a service does not come up.
pub async fn connect(config: &Config) -> Result<Vision> {
    let sized = |way| DataProcessingClient::new(way).max_decoding_message_size(MOST_BYTES).max_encoding_message_size(MOST_BYTES);
    let processing = sized(way(config, &config.data_processing)?);
    let describe = || {
        let mut client = processing.clone();
        async move { client.describe(wire::DescribeRequest {}).await.map(tonic::Response::into_inner) }
    };
    let model = patiently("data-processing", describe).await?;
    let template = points(&model.template).ok_or_else(|| remote_error("data-processing", "expected a template of five points"))?;
    let measure = model.recognisability.map(|measure| Recognisability::new(measure.weights, measure.bias)).transpose()?;
    let key = Arc::new(ModelKey::new(model.id, model.hash).recognisability(measure));
    let runtime = Handle::current();
    let embedder = RemoteEmbedder { client: processing, runtime: runtime.clone(), key, template: (template, model.side) };
    let client = DetectionClient::new(way(config, &config.detection)?);
    let client = client.max_decoding_message_size(MOST_BYTES).max_encoding_message_size(MOST_BYTES);
    let detector = RemoteDetector { client, runtime };
    Ok(Vision { detector: Arc::new(detector), embedder: Arc::new(embedder), compare: model.compare, identify: model.identify })
}
