//! Tables of hosts and origins, hostile ones foremost.

use super::*;

fn check(rules: &HostRules, host: &str, origin: Option<&str>) -> Result<(), HostDenied> {
    rules.check(RequestOrigin { host: Some(host), origin, ..RequestOrigin::default() })
}

#[test]
fn hosts_of_a_laptop() {
    let rules = HostRules::default();
    for host in [
        "localhost",
        "LocalHost:4870",
        "localhost:1",
        "127.0.0.1",
        "127.0.0.1:4870",
        "127.0.0.2:65535",
        "127.255.255.254",
        "[::1]",
        "[::1]:9999",
        "[0:0:0:0:0:0:0:1]:1",
    ] {
        assert_eq!(check(&rules, host, None), Ok(()), "{host}");
    }
}

#[test]
fn hosts_that_are_not_this_laptop() {
    let rules = HostRules::default();
    for host in [
        "",
        "attacker.example",
        "attacker.example:4870",
        "10.attacker.example",
        "127.attacker.example",
        "127.0.0.1.attacker.example",
        "127.0.0.1.nip.example",
        "192.168.evil.com",
        "localhost.evil.com",
        "evil-localhost",
        "localhostx",
        "xlocalhost",
        "localhost.",
        "127.0.0.1.",
        "localhost.:4870",
        "user@localhost",
        "localhost@evil.com",
        "user:pass@127.0.0.1:4870",
        "127.0.0.1:4870@evil.com",
        "localhost:",
        "localhost:x",
        "localhost:+1",
        "localhost:65536",
        "localhost:4870:1",
        "localhost: 4870",
        " localhost",
        "localhost ",
        "localhost/",
        "localhost/x",
        "localhost\\x",
        "localhost#",
        "localhost?",
        "localhost%00",
        "localhost\0",
        "localhost,evil.com",
        "ｌocalhost",
        "127.1",
        "127.0.1",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "2130706433",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.0.1",
        "128.0.0.1",
        "169.254.169.254",
        "::1",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[::]",
        "[::2]",
        "[::ffff:127.0.0.1]",
        "[::1%lo]",
        "[fe80::1]",
        "[127.0.0.1]",
        "[localhost]",
        ".localhost",
        "a..b",
        "corral.example",
    ] {
        assert_eq!(check(&rules, host, None), Err(HostDenied::Host), "{host:?}");
    }
    assert_eq!(rules.check(RequestOrigin::default()), Err(HostDenied::Host), "no host");
}

#[test]
fn hosts_behind_a_public_url() {
    let rules = HostRules::new(Some("https://Corral.Example/team/")).unwrap();
    assert_eq!((rules.public_path(), rules.is_https()), ("/team", true));
    for host in ["corral.example", "CORRAL.example:443", "localhost:4870"] {
        assert_eq!(check(&rules, host, None), Ok(()), "{host}");
    }
    for host in
        ["corral.example:80", "corral.example:4870", "x.corral.example", "corral.example.evil", "corral.example."]
    {
        assert_eq!(check(&rules, host, None), Err(HostDenied::Host), "{host}");
    }
    let rules = HostRules::new(Some("http://10.0.0.5:8080")).unwrap();
    assert_eq!((rules.public_path(), rules.is_https()), ("", false));
    assert_eq!(check(&rules, "10.0.0.5:8080", Some("http://10.0.0.5:8080")), Ok(()));
    assert_eq!(check(&rules, "10.0.0.5", None), Err(HostDenied::Host));
    for url in [
        "",
        "corral.example",
        "ftp://a",
        "http://",
        "https://u@a",
        "https://a:x",
        "https://a b",
        "https://a.",
        "https://[::1",
        "https://a?b",
    ] {
        assert!(HostRules::new(Some(url)).is_err(), "{url}");
    }
}

#[test]
fn origins() {
    let local = HostRules::default();
    let public = HostRules::new(Some("https://corral.example")).unwrap();
    let cases = [
        (&local, "localhost:4870", "http://localhost:4870", true),
        (&local, "127.0.0.1:4870", "http://127.0.0.1:4870", true),
        (&local, "[::1]:4870", "http://[::1]:4870", true),
        (&local, "localhost", "http://localhost", true),
        (&local, "localhost:80", "http://localhost", true),
        // ssh -L 9999:localhost:4870
        (&local, "localhost:9999", "http://localhost:9999", true),
        // Another program on this machine is another page.
        (&local, "localhost:4870", "http://localhost:8888", false),
        (&local, "localhost:4870", "http://127.0.0.1:4870", false),
        (&local, "localhost:4870", "http://localhost", false),
        (&local, "localhost:4870", "https://attacker.example", false),
        (&local, "localhost:4870", "http://localhost.evil.com:4870", false),
        (&local, "localhost:4870", "http://localhost:4870.evil.com", false),
        (&local, "localhost:4870", "http://localhost:4870@evil.com", false),
        (&local, "localhost:4870", "http://user@localhost:4870", false),
        (&local, "localhost:4870", "http://localhost:4870/", false),
        (&local, "localhost:4870", "null", false),
        (&local, "localhost:4870", "", false),
        (&local, "localhost:4870", "localhost:4870", false),
        (&local, "localhost:4870", "file://", false),
        (&local, "localhost:4870", "chrome-extension://localhost:4870", false),
        (&public, "corral.example", "https://corral.example", true),
        // The proxy may hand on its own name for us.
        (&public, "127.0.0.1:4870", "https://corral.example", true),
        (&public, "corral.example", "https://corral.example:443", true),
        (&public, "127.0.0.1:4870", "http://corral.example", false),
        (&public, "corral.example", "https://corral.example:8443", false),
        (&public, "corral.example", "https://evil.example", false),
        (&public, "corral.example", "https://corral.example.evil", false),
    ];
    for (rules, host, origin, allowed) in cases {
        let expect = if allowed { Ok(()) } else { Err(HostDenied::Origin) };
        assert_eq!(check(rules, host, Some(origin)), expect, "{host} {origin:?}");
    }
}

/// A form on another site, or its WebSocket: whatever the cookie, it ends here.
#[test]
fn requests_that_change_something() {
    let ask = |origin, fetch_site, changes| {
        let host = Some("localhost:4870");
        HostRules::default().check(RequestOrigin { host, origin, fetch_site, changes })
    };
    let (own, foreign) = (Some("http://localhost:4870"), Some("https://attacker.example"));
    for (origin, fetch_site, changes, allowed) in [
        (None, None, true, true),
        (own, Some("same-origin"), true, true),
        (None, Some("same-origin"), true, true),
        (None, Some("none"), true, true),
        (None, Some("cross-site"), true, false),
        (None, Some("same-site"), true, false),
        (None, Some("what"), true, false),
        (foreign, Some("cross-site"), true, false),
        (foreign, Some("same-origin"), true, false),
        (foreign, None, true, false),
        (foreign, Some("cross-site"), false, false),
        // Somebody's link to the page.
        (None, Some("cross-site"), false, true),
    ] {
        let expect = if allowed { Ok(()) } else { Err(HostDenied::Origin) };
        assert_eq!(ask(origin, fetch_site, changes), expect, "{origin:?} {fetch_site:?} {changes}");
    }
}
