//! The page's files, from the binary, with the headers that keep a browser from being talked into anything else.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

/// (path below the page's root, bytes), sorted by path; made by `build.rs`.
static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Scripts, styles and workers come from this server and from nowhere else, and nobody may frame the page. Styles set by
/// script (CSSOM) are allowed by `style-src 'self'`; inline style attributes are not.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: \
     blob:; connect-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

/// Puts the headers of every answer, the API's too.
pub fn harden(headers: &mut HeaderMap) {
    let fixed: [(HeaderName, &'static str); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Paths that the page itself routes (it has one HTML file). The page's assets are relative, so the file tells its base.
fn is_page(path: &str) -> bool {
    path.is_empty() || ["login", "p/", "r/"].iter().any(|prefix| path.starts_with(prefix))
}

/// The answer for a path without its leading slash. `base` is the path under which the page is served, with a slash at
/// both ends: it goes into the HTML's `base` element, so that relative links hold at every depth.
pub fn answer(path: &str, base: &str) -> Response<Body> {
    let name = if is_page(path) { "index.html" } else { path };
    let Some(bytes) = FILES.binary_search_by(|(key, _)| (*key).cmp(name)).ok().map(|at| FILES[at].1) else {
        return status(StatusCode::NOT_FOUND);
    };
    let mut response = if name == "index.html" {
        let html = String::from_utf8_lossy(bytes).replacen("<base href=\"/\">", &format!("<base href=\"{base}\">"), 1);
        Response::new(Body::from(html))
    } else {
        Response::new(Body::from(bytes))
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    // Vite's names carry a hash of the content; the HTML that names them must not be kept.
    let cache = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

fn status(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::from("not found\n"));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "webmanifest" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
