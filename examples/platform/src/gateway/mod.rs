//! The gateway: the HTTP API, and the web client as static files.

pub mod auth;
pub mod bodies;

mod admin;
mod enrolments;
mod export;
mod live;
mod merge;
mod observe;
mod openapi;
mod persons;
mod ranges;
mod rate;
mod repeats;
pub mod routes;
mod search;
mod sessions;
mod tracks;
mod unknown;
mod uploads;
mod web;
mod webhooks;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{delete, get, post};
use hyper_util::rt::TokioTimer;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::ids::secret;
use crate::tls;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    /// The platform's parts.
    pub app: App,
    auth: Arc<auth::Auth>,
    metrics: Arc<observe::Metrics>,
    /// Photos in memory at the same time.
    photos: Arc<Semaphore>,
    /// Live status that somebody listens to.
    streams: live::Streams,
}

impl Gateway {
    /// A gateway to the platform `app`.
    ///
    /// # Errors
    /// `database`.
    pub async fn new(app: App) -> Result<Self> {
        let secret = app.db.setting("ticket_secret", secret).await?;
        let limits = &app.config.limits;
        let auth = Arc::new(auth::Auth::new(secret, (limits.requests_per_second, limits.burst)));
        let photos = Arc::new(Semaphore::new(limits.photos_at_once));
        Ok(Self { app, auth, metrics: Arc::default(), photos, streams: Arc::default() })
    }

    /// The HTTP service.
    pub fn router(&self) -> Router {
        let api = Router::new()
            .route("/healthz", get(admin::health))
            .route("/readyz", get(admin::ready))
            .route("/metrics", get(observe::metrics))
            .route("/openapi.json", get(openapi::document))
            .route("/v1/me", get(admin::me))
            .route("/v1/tickets", post(admin::ticket))
            .route("/v1/persons", get(persons::list))
            .route("/v1/persons/{id}", get(persons::one).patch(persons::rename).delete(persons::forget))
            .route("/v1/persons/{id}/merge", post(merge::merge))
            .route("/v1/persons/{id}/photos", get(enrolments::of_person))
            .route("/v1/persons/{id}/thumbnail", get(persons::thumbnail))
            .route("/v1/persons/{id}/export", get(export::export))
            .route("/v1/enrolments", post(enrolments::create))
            .route("/v1/enrolments/{id}", get(enrolments::one).delete(enrolments::remove))
            .route("/v1/enrolments/{id}/photo", get(enrolments::photo))
            .route("/v1/search", post(search::search))
            .route("/v1/uploads", post(uploads::create))
            .route("/v1/uploads/{id}", get(uploads::one).patch(uploads::append).delete(uploads::remove))
            .route("/v1/sessions", get(sessions::list).post(sessions::create))
            .route("/v1/sessions/{id}", get(sessions::one).delete(sessions::remove))
            .route("/v1/sessions/{id}/cancel", post(sessions::cancel))
            .route("/v1/sessions/{id}/tracks", get(tracks::list))
            .route("/v1/sessions/{id}/tracks/{track}/boxes", get(tracks::boxes))
            .route("/v1/sessions/{id}/tracks/{track}/shots/{n}", get(tracks::shot))
            .route("/v1/sessions/{id}/video", get(tracks::video))
            .route("/v1/sessions/{id}/unknown", get(unknown::groups))
            .route("/v1/sessions/{id}/enrol", post(unknown::enrol))
            .route("/v1/sessions/{id}/events", get(live::events))
            .route("/v1/keys", get(admin::keys).post(admin::make_key))
            .route("/v1/keys/{id}", delete(admin::revoke_key))
            .route("/v1/webhooks", get(webhooks::list).post(webhooks::make))
            .route("/v1/webhooks/{id}", delete(webhooks::remove))
            .route("/v1/webhooks/{id}/deliveries", get(webhooks::deliveries))
            .route("/v1/webhooks/{id}/deliveries/{delivery}/retry", post(webhooks::retry))
            .route("/v1/events", get(admin::events))
            .route_layer(from_fn_with_state(self.clone(), auth::guard))
            // Limits are each route's own, in `bodies`: they also bound the time.
            .layer(DefaultBodyLimit::disable());
        api.fallback(web::page)
            .with_state(self.clone())
            .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
                axum::response::IntoResponse::into_response(Error::Internal("a handler panicked".into()))
            }))
            .layer(map_response(observe::secure))
            .layer(from_fn_with_state(self.clone(), observe::cors))
            .layer(from_fn_with_state(self.clone(), observe::observe))
    }
}

/// Takes the address of the configuration.
///
/// # Errors
/// `config` when it cannot be used, `io`.
pub fn bind(config: &Config) -> Result<TcpListener> {
    let listener = TcpListener::bind(config.listen)
        .map_err(|error| Error::Config(format!("`listen`: cannot listen on {}: {error}", config.listen)))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves HTTP until the process is to end, then lets requests finish for a few seconds.
///
/// # Errors
/// `config` when the certificate cannot be used.
pub async fn serve(app: App, listener: TcpListener) -> Result<()> {
    let gateway = Gateway::new(app.clone()).await?;
    tokio::spawn(uploads::expire(gateway.clone()));
    let service = gateway.router().into_make_service_with_connect_info::<SocketAddr>();
    let handle = axum_server::Handle::new();
    let (stopper, stopping) = (handle.clone(), app.clone());
    tokio::spawn(async move {
        stopping.stopped().await;
        stopper.graceful_shutdown(Some(Duration::from_secs(10)));
    });
    let patience = app.config.patience();
    // Who sends a request's head byte by byte is cut off.
    macro_rules! serve {
        ($server:expr) => {{
            // HTTP/1 only: finding out which version a silent caller speaks would wait for ever.
            let mut server = $server?.handle(handle).http1_only();
            server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(patience);
            server.serve(service).await?;
        }};
    }
    match tls::http(&app.config)? {
        Some(tls) => serve!(axum_server::from_tcp_rustls(listener, tls)),
        None => serve!(axum_server::from_tcp(listener)),
    }
    Ok(())
}
