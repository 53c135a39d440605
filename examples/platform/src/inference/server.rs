//! The gRPC services.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use facerec_core::align::align;
use facerec_core::quality::assess;
use facerec_core::{DecisionOptions, Detection, Embedding, Gallery, Image, NewFace};
use futures_util::{Stream, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::token::Ask;
use super::wire::data_processing_server::{DataProcessing, DataProcessingServer};
use super::wire::detection_server::{Detection as DetectionService, DetectionServer};
use super::{MOST_BYTES, batch::Batcher, wire};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::vision::Vision;

/// Calls of one caller that are answered at the same time; more wait.
const CALLS_AT_ONCE: usize = 32;

/// A frame's faces with their quality.
type Found = Vec<(Detection, Option<facerec_core::Quality>)>;

/// A picture, and whether it is a frame of a video.
type Seen = (Image, bool);

struct Detecting(Batcher<Seen, Found>);

struct Processing {
    vision: Vision,
    embed: Batcher<Image, Embedding>,
    gallery: Arc<Gallery>,
}

/// Serves detection, data processing, or both on one port until the process is to end. `bound` hears of the address.
///
/// # Errors
/// `config` when the address or the certificate cannot be used, or others could reach it without a token.
pub async fn serve(
    config: &Config,
    vision: Vision,
    detection: bool,
    gallery: Option<Arc<Gallery>>,
    mut stop: watch::Receiver<bool>,
    bound: impl FnOnce(SocketAddr),
) -> Result<()> {
    let (most, wait) = (config.work.batch, Duration::from_millis(config.work.batch_wait_ms));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    if config.service_token.is_empty() && !config.grpc_listen.ip().is_loopback() {
        let message =
            format!("`grpc_listen`: other machines can reach {}; set `service_token`, which callers must know", config.grpc_listen);
        return Err(Error::Config(message));
    }
    let ask = Ask::new(&config.service_token);
    let mut server = Server::builder().concurrency_limit_per_connection(CALLS_AT_ONCE);
    if let (Some(certificate), Some(key)) = (&config.tls_certificate, &config.tls_key) {
        let identity = Identity::from_pem(std::fs::read(certificate)?, std::fs::read(key)?);
        server = server.tls_config(ServerTlsConfig::new().identity(identity)).map_err(|e| Error::Config(format!("TLS: {e}")))?;
    }
    let detecting = if detection {
        let vision = vision.clone();
        let batcher = Batcher::new(Arc::new(move |pictures: &[Seen]| find(&vision, pictures)), most, wait, threads)?;
        let service = DetectionServer::new(Arc::new(Detecting(batcher)));
        let service = service.max_decoding_message_size(MOST_BYTES).max_encoding_message_size(MOST_BYTES);
        Some(InterceptedService::new(service, ask.clone()))
    } else {
        None
    };
    let processing = match gallery {
        Some(gallery) => {
            let embedder = Arc::clone(&vision.embedder);
            let embed = Batcher::new(Arc::new(move |faces: &[Image]| embedder.embed_batch(faces)), most, wait, threads)?;
            let service = DataProcessingServer::new(Processing { vision, embed, gallery });
            let service = service.max_decoding_message_size(MOST_BYTES).max_encoding_message_size(MOST_BYTES);
            Some(InterceptedService::new(service, ask))
        }
        None => None,
    };
    let listener = TcpListener::bind(config.grpc_listen).await;
    let listener = listener.map_err(|error| Error::Config(format!("`grpc_listen`: cannot listen on {}: {error}", config.grpc_listen)))?;
    bound(listener.local_addr()?);
    let stopped = async move { drop(stop.wait_for(|stop| *stop).await) };
    let router = server.add_optional_service(detecting).add_optional_service(processing);
    let served = router.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopped).await;
    served.map_err(|error| Error::Internal(format!("the gRPC server ended: {error}")))
}

/// The faces of all images, each judged by its aligned picture.
fn find(vision: &Vision, pictures: &[Seen]) -> facerec_core::Result<Vec<Found>> {
    let (template, side) = vision.embedder.template();
    let judge = |image: &Image, face: Detection| {
        let aligned = align(image.view(), &face.landmarks, &template, side).ok();
        (face, aligned.map(|aligned| assess(&face, &aligned)))
    };
    let of = |video: bool| pictures.iter().filter(move |picture| picture.1 == video).map(|picture| picture.0.view()).collect::<Vec<_>>();
    let mut photos = vision.detector.detect_batch(&of(false))?.into_iter();
    let mut frames = vision.detector.detect_frames(&of(true))?.into_iter();
    let faces = |(image, video): &Seen| {
        let found = if *video { frames.next() } else { photos.next() };
        found.unwrap_or_default().into_iter().map(|face| judge(image, face)).collect()
    };
    Ok(pictures.iter().map(faces).collect())
}

fn status(error: Error) -> Status {
    match error.status().as_u16() {
        400 | 413 | 422 => Status::invalid_argument(error.to_string()),
        404 => Status::not_found(error.to_string()),
        503 => Status::unavailable(error.to_string()),
        _ => Status::internal(error.to_string()),
    }
}

impl Detecting {
    async fn detect(&self, frame: wire::Frame) -> Result<wire::Faces, Status> {
        let image = Image::from_rgb(frame.width, frame.height, frame.rgb.into()).map_err(|error| status(error.into()))?;
        let found = self.0.call((image, frame.video)).await.map_err(status)?;
        Ok(wire::Faces { id: frame.id, faces: found.into_iter().map(sent).collect() })
    }
}

fn sent((face, quality): (Detection, Option<facerec_core::Quality>)) -> wire::Face {
    let quality = quality.map(|q| wire::Quality {
        score: q.score,
        sharpness: q.sharpness,
        yaw_deg: q.yaw_deg,
        pitch_deg: q.pitch_deg,
        roll_deg: q.roll_deg,
        face_px: q.face_px,
        exposure: q.exposure,
    });
    let (rect, landmarks) = (face.rect, face.landmarks.0.iter().flat_map(|point| [point.x, point.y]).collect());
    wire::Face { x1: rect.x1, y1: rect.y1, x2: rect.x2, y2: rect.y2, score: face.score, landmarks, quality }
}

#[async_trait]
impl DetectionService for Arc<Detecting> {
    async fn detect(&self, request: Request<wire::Frame>) -> Result<Response<wire::Faces>, Status> {
        Detecting::detect(self, request.into_inner()).await.map(Response::new)
    }

    async fn detect_batch(&self, request: Request<wire::Frames>) -> Result<Response<wire::FacesOfFrames>, Status> {
        let calls = request.into_inner().frames.into_iter().map(|frame| Detecting::detect(self, frame));
        let frames = futures_util::future::try_join_all(calls).await?;
        Ok(Response::new(wire::FacesOfFrames { frames }))
    }

    type DetectStreamStream = Pin<Box<dyn Stream<Item = Result<wire::Faces, Status>> + Send>>;

    async fn detect_stream(&self, request: Request<Streaming<wire::Frame>>) -> Result<Response<Self::DetectStreamStream>, Status> {
        let service = Arc::clone(self);
        let answers = request.into_inner().map(move |frame| {
            let service = Arc::clone(&service);
            async move { Detecting::detect(&service, frame?).await }
        });
        // A few frames of one stream at a time share batches with those of others; answers stay in order.
        Ok(Response::new(Box::pin(answers.buffered(8))))
    }
}

impl Processing {
    fn embedding(&self, vector: Option<wire::Vector>) -> Result<Embedding, Status> {
        let values = vector.ok_or_else(|| Status::invalid_argument("expected a vector"))?.values;
        Embedding::new(Arc::clone(self.vision.embedder.model_key()), values).map_err(|error| status(error.into()))
    }

    async fn gallery<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Gallery) -> facerec_core::Result<T> + Send + 'static,
    ) -> Result<T, Status> {
        let gallery = Arc::clone(&self.gallery);
        let done = tokio::task::spawn_blocking(move || work(&gallery)).await;
        done.map_err(|error| Status::internal(error.to_string()))?.map_err(|error| status(error.into()))
    }
}

#[async_trait]
impl DataProcessing for Processing {
    async fn describe(&self, _: Request<wire::DescribeRequest>) -> Result<Response<wire::Model>, Status> {
        let (key, (template, side)) = (self.vision.embedder.model_key(), self.vision.embedder.template());
        let template = template.iter().flat_map(|point| [point.x, point.y]).collect();
        let (compare, identify) = (self.vision.compare, self.vision.identify);
        let recognisability = key.recognisability.as_ref();
        let recognisability =
            recognisability.map(|measure| wire::Recognisability { weights: measure.weights().to_vec(), bias: measure.bias() });
        Ok(Response::new(wire::Model { id: key.id.clone(), hash: key.hash.clone(), template, side, compare, identify, recognisability }))
    }

    async fn embed(&self, request: Request<wire::Crops>) -> Result<Response<wire::Vectors>, Status> {
        let (_, side) = self.vision.embedder.template();
        let calls = request.into_inner().rgb.into_iter().map(|rgb| async move {
            let face = Image::from_rgb(side, side, rgb.into()).map_err(|error| status(error.into()))?;
            let embedding = self.embed.call(face).await.map_err(status)?;
            Ok::<_, Status>(wire::Vector { values: embedding.as_slice().to_vec() })
        });
        Ok(Response::new(wire::Vectors { vectors: futures_util::future::try_join_all(calls).await? }))
    }

    async fn enrol(&self, request: Request<wire::EnrolRequest>) -> Result<Response<wire::Enrolled>, Status> {
        let request = request.into_inner();
        let embedding = self.embedding(request.vector)?;
        if !embedding.is_recognisable() {
            return Err(Status::failed_precondition("unrecognisable: the face cannot be told from others; take a clear, upright photo"));
        }
        let (person, source) = (request.person, request.source);
        let enrolled = self.gallery(move |gallery| {
            let there = match gallery.faces(&person) {
                Err(error) if error.kind().code() != "person_not_found" => return Err(error),
                faces => faces.unwrap_or_default().into_iter().find(|face| !source.is_empty() && face.source.as_deref() == Some(&source)),
            };
            let face_id = match there {
                Some(face) => face.id,
                None => {
                    let face = NewFace::new(&embedding);
                    gallery.add(&person, if source.is_empty() { face } else { face.source(&source) })?
                }
            };
            Ok(wire::Enrolled { person_id: gallery.person(&person)?.id.0, face_id: face_id.0 })
        });
        enrolled.await.map(Response::new)
    }

    async fn search(&self, request: Request<wire::SearchRequest>) -> Result<Response<wire::SearchResult>, Status> {
        let request = request.into_inner();
        let queries = request.vectors.into_iter().map(|vector| self.embedding(Some(vector))).collect::<Result<Vec<_>, _>>()?;
        let most = if request.candidates == 0 { 5 } else { request.candidates.min(1000) as usize };
        let options = DecisionOptions::new(self.vision.identify).candidates(most);
        let decisions = self.gallery(move |gallery| gallery.identify_many(&queries, &options)).await?;
        let candidate =
            |c: &facerec_core::Candidate| wire::Candidate { person_id: c.person.0, name: c.name.clone(), similarity: c.similarity };
        let decision = |d: facerec_core::Decision| wire::Decision {
            person_id: d.person.map(|id| id.0),
            name: d.name.clone().unwrap_or_default(),
            similarity: d.similarity,
            threshold: d.threshold,
            margin: d.margin,
            reason: d.reason.code().into(),
            candidates: d.candidates.iter().map(candidate).collect(),
        };
        Ok(Response::new(wire::SearchResult { decisions: decisions.into_iter().map(decision).collect() }))
    }

    async fn remove(&self, request: Request<wire::RemoveRequest>) -> Result<Response<wire::Removed>, Status> {
        let person = request.into_inner().person;
        let faces = self.gallery(move |gallery| gallery.remove_person(&person)).await?;
        Ok(Response::new(wire::Removed { faces: faces as u64 }))
    }
}
