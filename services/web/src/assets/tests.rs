//! The page is served at its own paths and nothing else is.

use axum::http::StatusCode;

use super::*;

#[test]
fn paths_of_the_page_get_its_html_and_others_are_not_found() {
    for path in ["", "login", "p/digits", "r/swift-mesa-41"] {
        assert_eq!(answer(path, "/").status(), StatusCode::OK, "{path}");
        assert_eq!(answer(path, "/").headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    }
    for path in ["../Cargo.toml", "assets/none.js", "api/x", "etc/passwd", "index.html/", "INDEX.HTML"] {
        assert_eq!(answer(path, "/").status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[test]
fn every_answer_is_hardened() {
    let mut headers = HeaderMap::new();
    harden(&mut headers);
    assert!(headers[CONTENT_SECURITY_POLICY].to_str().unwrap().contains("frame-ancestors 'none'"));
    assert!(!headers[CONTENT_SECURITY_POLICY].to_str().unwrap().contains("unsafe"));
    assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
}
