//! The web client: its static export as files.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tower::ServiceExt;
use tower_http::services::{ServeDir, ServeFile};

use super::Gateway;
use crate::error::{Error, Result};

/// What is shown when the web client was not built.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>facerec platform</title>\
    <h1>facerec platform</h1><p>The API runs; it is described in <a href=\"/openapi.json\">/openapi.json</a>.</p>\
    <p>The web client is not built. Run <code>make platform</code>, or set <code>web</code> in the configuration to the folder of its \
    static export.</p></html>";

/// Pages run their own files and nothing else: a script that somebody smuggled into a name would not run even if it got into the page.
/// The client's build fails when anything inline is left in a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; connect-src 'self'; \
    font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Everything that is not the API.
pub(super) async fn page(State(gateway): State<Gateway>, request: Request) -> Result<Response> {
    let path = request.uri().path().to_owned();
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    if !reads || path == "/v1" || path.starts_with("/v1/") {
        return Err(Error::NotFound("no such route".into()));
    }
    let folder = &gateway.app.config.web;
    if !folder.join("index.html").is_file() {
        let status = if path == "/" { StatusCode::OK } else { StatusCode::NOT_FOUND };
        return Ok((status, Html(NOT_BUILT)).into_response());
    }
    let files = ServeDir::new(folder).not_found_service(ServeFile::new(folder.join("404.html")));
    let served = files.oneshot(request).await.map_err(|error| Error::Internal(format!("a file cannot be served: {error}")))?;
    let mut response = served.into_response();
    // Next.js gives the files below /_next/static names with a hash of what is in them.
    let hashed = path.starts_with("/_next/static/") && response.status().is_success();
    let cached = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cached));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}
