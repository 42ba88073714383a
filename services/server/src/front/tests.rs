//! Who is believed about the host, and which part of a path is the public URL's.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::*;
use crate::config::Sources;

fn front(public_url: &str, proxies: &str) -> Front {
    let env = |name: &str| (name == "HOME").then(|| OsString::from("/nowhere"));
    let flags = BTreeMap::from([("public_url", public_url.to_owned()), ("trusted_proxies", proxies.to_owned())]);
    Front::new(&Config::load(&Sources { env: &env, file: None, flags }).unwrap())
}

#[test]
fn only_a_trusted_peer_names_the_host() {
    let front = front("https://corral.example", "10.0.0.0/8");
    let host = |peer: &str, uri: &str, forwarded: &str| {
        let request = Request::get(uri).header(HOST, "inside:1").header(FORWARDED_HOST, forwarded).body(()).unwrap();
        let request = front.prepare(peer.parse().unwrap(), request);
        let authority = request.uri().authority().map(ToString::to_string);
        (request.headers()[HOST].to_str().unwrap().to_owned(), authority)
    };
    let name = |text: &str| text.to_owned();
    assert_eq!(host("10.1.2.3:9", "/", "corral.example"), (name("corral.example"), None));
    assert_eq!(host("10.1.2.3:9", "/", "corral.example, inner"), (name("corral.example"), None));
    assert_eq!(host("127.0.0.1:9", "/", "corral.example"), (name("inside:1"), None));
    assert_eq!(host("10.1.2.3:9", "/", "a b"), (name("inside:1"), None));
    let http2 = host("10.1.2.3:9", "http://inside:1/", "corral.example");
    assert_eq!(http2, (name("corral.example"), Some(name("corral.example"))));
}

#[test]
fn the_public_urls_path_may_be_there_or_not() {
    let front = front("https://corral.example/base/", "");
    let path = |uri: &str| {
        let request = front.prepare("127.0.0.1:9".parse().unwrap(), Request::get(uri).body(()).unwrap());
        request.uri().to_string()
    };
    for (given, expect) in [
        ("/base/api/login", "/api/login"),
        ("/base/r/x?y=1", "/r/x?y=1"),
        ("/base", "/"),
        ("/base?y=1", "/?y=1"),
        ("/api/login", "/api/login"),
        ("/bases/x", "/bases/x"),
    ] {
        assert_eq!(path(given), expect, "{given}");
    }
}
