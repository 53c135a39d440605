//! The web client: its static export as files.

use std::path::{Component, Path, PathBuf};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use tower_http::services::ServeDir;

use super::Gateway;
use crate::error::{Error, Result};

/// What is shown when the web client was not built.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>facerec platform</title>\
    <h1>facerec platform</h1><p>The API runs; it is described in <a href=\"/openapi.json\">/openapi.json</a>.</p>\
    <p>The web client is not built. Run <code>make platform</code>, or set <code>web</code> in the configuration to the folder of its \
    static export.</p></html>";

/// Everything that is not the API.
pub(super) async fn page(State(gateway): State<Gateway>, request: Request) -> Result<Response> {
    let path = request.uri().path().to_owned();
    if path == "/v1" || path.starts_with("/v1/") {
        return Err(Error::NotFound("no such route".into()));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(Error::NotFound("no such route".into()));
    }
    let folder = &gateway.app.config.web;
    if !folder.join("index.html").is_file() {
        let status = if path == "/" { StatusCode::OK } else { StatusCode::NOT_FOUND };
        return Ok((status, Html(NOT_BUILT)).into_response());
    }
    if let Some((status, file)) = html(folder, &path) {
        let text = tokio::fs::read_to_string(file).await?;
        let policy = policy(&text);
        return Ok(
            (status, [(header::CONTENT_SECURITY_POLICY, policy), (header::CACHE_CONTROL, "no-cache".into())], Html(text)).into_response()
        );
    }
    let served =
        ServeDir::new(folder).oneshot(request).await.map_err(|error| Error::Internal(format!("a file cannot be served: {error}")))?;
    let mut response = served.into_response();
    // Next.js gives the files below /_next/static names with a hash of what is in them.
    let cached = if path.starts_with("/_next/static/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cached));
    Ok(response)
}

/// The page that a path leads to: `x.html`, `x/index.html`, or the page for what is not there. `None` for other files.
fn html(folder: &Path, path: &str) -> Option<(StatusCode, PathBuf)> {
    let relative = Path::new(path.trim_matches('/'));
    let inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if inside && !path.contains(['%', '\\', '\0']) {
        let whole = folder.join(relative);
        if whole.is_file() && whole.extension().is_none_or(|extension| extension != "html") {
            return None;
        }
        let candidates = [whole.clone(), whole.with_added_extension("html"), whole.join("index.html")];
        let found = candidates.into_iter().find(|file| file.is_file() && file.extension().is_some_and(|extension| extension == "html"));
        if let Some(file) = found {
            return Some((StatusCode::OK, file));
        }
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    let missing = folder.join("404.html");
    (!last.contains('.') && missing.is_file()).then_some((StatusCode::NOT_FOUND, missing))
}

/// Allows the page's own files and exactly the inline scripts that are in it. A script that somebody smuggled into a name is not
/// among them, so it would not run even if it got into the page.
fn policy(page: &str) -> String {
    let mut hashes = String::new();
    let mut rest = page;
    while let Some(start) = rest.find("<script") {
        let Some(open) = rest[start..].find('>') else { break };
        let (tag, after) = (&rest[start..start + open], &rest[start + open + 1..]);
        let Some(end) = after.find("</script") else { break };
        if !tag.contains(" src=") {
            let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&after.as_bytes()[..end]));
            hashes.push_str(&format!(" 'sha256-{digest}'"));
        }
        rest = &after[end..];
    }
    format!(
        "default-src 'self'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; \
         connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_scripts_are_allowed_by_their_hash() {
        let policy = policy("<script src=\"/a.js\"></script><script id=x>alert(1)</script>");
        // printf 'alert(1)' | openssl dgst -sha256 -binary | base64
        assert!(policy.contains("script-src 'self' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='; "), "{policy}");
    }

    #[test]
    fn paths_stay_in_the_folder() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("out");
        std::fs::create_dir_all(folder.join("sessions")).unwrap();
        for file in ["out/index.html", "out/people.html", "out/sessions/index.html", "out/app.js", "secret.html"] {
            std::fs::write(outer.path().join(file), "x").unwrap();
        }
        let found = |path: &str| html(&folder, path).map(|(_, file)| file.strip_prefix(&folder).unwrap().to_path_buf());
        assert_eq!(found("/"), Some("index.html".into()));
        assert_eq!(found("/people"), Some("people.html".into()));
        assert_eq!(found("/sessions/"), Some("sessions/index.html".into()));
        for path in ["/app.js", "/../secret", "/../secret.html", "/%2e%2e/secret", "//etc/passwd", "/nothing"] {
            assert_eq!(found(path), None, "{path}");
        }
    }
}
