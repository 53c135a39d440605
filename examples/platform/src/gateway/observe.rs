//! Around every request: its id, its line in the log, its numbers, its security headers.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use sqlx::Row as _;
use tokio::sync::Mutex;

use super::Gateway;
use crate::error::{Error, REQUEST_ID, Result};
use crate::ids::new_id;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Jobs {
    kind: String,
    state: String,
}

/// The gateway in numbers.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Histogram,
    jobs: Family<Jobs, Gauge>,
    /// The last answer, and of when.
    text: Mutex<Option<(Instant, String)>>,
    /// When everything that the gateway needs answered last.
    pub(super) ready: Mutex<Option<Instant>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("facerec");
        let (requests, jobs) = (Family::<Answered, Counter>::default(), Family::<Jobs, Gauge>::default());
        let seconds = Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register("http_seconds", "Seconds until a request was answered", seconds.clone());
        registry.register("jobs", "Jobs by kind and state", jobs.clone());
        Self { registry, requests, seconds, jobs, text: Mutex::default(), ready: Mutex::default() }
    }
}

/// Gives every request an id, writes its line in the log and counts it.
pub(super) async fn observe(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned(); // without the query: tickets stay out of the log
    let route = request.extensions().get::<MatchedPath>().map_or("other".to_owned(), |path| path.as_str().to_owned());
    let given = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
    let plain = |id: &&str| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let id = given.filter(plain).map_or_else(|| new_id()[..16].to_owned(), str::to_owned);
    let mut response = REQUEST_ID.scope(id.clone(), next.run(request)).await;
    let (status, took) = (response.status().as_u16(), started.elapsed());
    tracing::info!(request_id = id, %method, path, status, ms = took.as_millis() as u64, "request");
    gateway.metrics.requests.get_or_create(&Answered { method: known(&method), route, status }).inc();
    gateway.metrics.seconds.observe(took.as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}

/// Methods that callers make up must not make up time series.
fn known(method: &Method) -> String {
    let usual = [Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::PUT];
    if usual.contains(method) { method.to_string() } else { "other".into() }
}

/// The headers that browsers need to keep other pages out. A page that sets a policy of its own keeps it.
pub(super) async fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(), geolocation=()"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Lets pages of the configured origins call the API; closed without any.
pub(super) async fn cors(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let allowed = |origin: &HeaderValue| gateway.app.config.cors_origins.iter().any(|known| known.as_bytes() == origin.as_bytes());
    let Some(origin) = origin.filter(allowed) else { return next.run(request).await };
    let preflight = request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));
    headers
        .insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("x-request-id, upload-offset, upload-length, retry-after"));
    if preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, PATCH, DELETE"));
        let wanted = "authorization, content-type, idempotency-key, upload-offset, last-event-id";
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(wanted));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    response
}

/// How long an answer of `/metrics` or `/readyz` is good: anybody may ask, as often as they like.
pub(super) const FRESH: Duration = Duration::from_secs(1);

/// `GET /metrics`.
pub(super) async fn metrics(State(gateway): State<Gateway>) -> Result<Response> {
    let mut known = gateway.metrics.text.lock().await;
    let text = match known.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
        Some((_, text)) => text.clone(),
        None => known.insert((Instant::now(), counted(&gateway).await?)).1.clone(),
    };
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

async fn counted(gateway: &Gateway) -> Result<String> {
    let rows = sqlx::query("SELECT kind, state, COUNT(*) AS jobs FROM job GROUP BY kind, state").fetch_all(gateway.app.db.pool()).await?;
    gateway.metrics.jobs.clear();
    for row in rows {
        let jobs = Jobs { kind: row.try_get("kind")?, state: row.try_get("state")? };
        gateway.metrics.jobs.get_or_create(&jobs).set(row.try_get("jobs")?);
    }
    let mut text = String::new();
    encode(&mut text, &gateway.metrics.registry).map_err(|_| Error::Internal("metrics cannot be written".into()))?;
    Ok(text)
}
