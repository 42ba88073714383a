//! What is written is read back, and what others wrote stays.

use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;

const LOCAL: &str = "http://127.0.0.1:4870";

fn key_of<'a>(credentials: &'a Credentials, url: &str) -> Option<&'a str> {
    credentials.key(url).map(Secret::expose)
}

#[test]
fn the_first_key_becomes_the_default_and_others_are_kept() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("config/corral/credentials");
    assert!(Credentials::load(&path).unwrap().default_url().is_none());
    for (url, key) in [(LOCAL, "corral_a_1"), ("https://Corral.Example/team/", "corral_b_2"), (LOCAL, "corral_a_3")] {
        Credentials::change(&path, |credentials| credentials.set(url, Secret::new(key))).unwrap();
    }
    let read = Credentials::load(&path).unwrap();
    assert_eq!(read.default_url(), Some(LOCAL));
    assert_eq!(key_of(&read, "HTTP://127.0.0.1:4870/"), Some("corral_a_3"));
    assert_eq!(key_of(&read, "https://corral.example/team"), Some("corral_b_2"));
    assert_eq!(key_of(&read, "https://corral.example"), None);
    assert_eq!(read.lines.iter().filter(|line| matches!(line, Line::Key(..))).count(), 2);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
}

#[test]
fn what_a_person_wrote_stays() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("credentials");
    let text = "# mine\nfuture = 1\n\n[keys]\n\"http://a:1\" = \"k1\" # laptop\n\n[later]\nx = [\n";
    fs::write(&path, text).unwrap();
    Credentials::change(&path, |credentials| credentials.set("http://b:2", Secret::new("k2"))).unwrap();
    let written = fs::read_to_string(&path).unwrap();
    for line in [
        "# mine",
        "future = 1",
        "\"http://a:1\" = \"k1\"",
        "\"http://b:2\" = \"k2\"",
        "[later]",
        "x = [",
        "default = \"http://b:2\"",
    ] {
        assert!(written.lines().any(|found| found == line), "{line} is not in\n{written}");
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let read = Credentials::load(&path).unwrap();
    assert_eq!((key_of(&read, "http://a:1"), read.default_url()), (Some("k1"), Some("http://b:2")));
}

#[test]
fn a_line_that_cannot_be_read_is_named() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("credentials");
    for (text, line) in [
        ("what", 1),
        ("# x\n[keys\n", 2),
        ("default = http://a", 1),
        ("[keys]\nhttp://a = \"k\"", 2),
        ("[keys]\n\"http://a\" \"k\"", 2),
        ("[keys]\n\"http://a\" = \"k", 2),
        ("[keys]\n\"a\" = \"k\\n\"", 2),
    ] {
        fs::write(&path, text).unwrap();
        let error = Credentials::load(&path).err().unwrap().to_string();
        assert!(error.contains(&format!("line {line}")), "{text:?}: {error}");
    }
    fs::write(&path, vec![b'#'; FILE_BYTES_MAX as usize + 1]).unwrap();
    assert!(Credentials::load(&path).is_err());
}

#[test]
fn urls_and_keys_that_would_break_the_file_are_refused() {
    for url in
        ["", "a", "ftp://a", "http://", "http:///x", "http://a b", "http://a\"", "http://a\n[keys]", "http://u@a"]
    {
        assert!(Credentials::default().set(url, Secret::new("k")).is_err(), "{url:?}");
    }
    for key in ["", "a b", "a\"b", "a\nb", "ä", "a\\"] {
        assert!(Credentials::default().set(LOCAL, Secret::new(key)).is_err(), "{key:?}");
    }
}

#[test]
fn the_place_follows_the_environment() {
    let check = |xdg: Option<&str>, home: Option<&str>, expect: Option<&str>| {
        let env = |name: &str| match name {
            "XDG_CONFIG_HOME" => xdg.map(OsString::from),
            "HOME" => home.map(OsString::from),
            _ => None,
        };
        assert_eq!(default_path(env), expect.map(PathBuf::from), "{xdg:?} {home:?}");
    };
    check(Some("/x"), Some("/home/a"), Some("/x/corral/credentials"));
    check(None, Some("/home/a"), Some("/home/a/.config/corral/credentials"));
    check(Some(""), Some("/home/a"), Some("/home/a/.config/corral/credentials"));
    check(Some("x"), Some("/home/a"), Some("/home/a/.config/corral/credentials"));
    check(None, None, None);
}

#[test]
fn remembering_needs_a_place_and_says_where_it_was() {
    let dir = TempDir::new().unwrap();
    let home = dir.path().to_owned();
    let env = |name: &str| (name == "HOME").then(|| home.clone().into_os_string());
    let path = remember(env, LOCAL, &Secret::new("k")).unwrap();
    assert_eq!(path, home.join(".config/corral/credentials"));
    assert_eq!(key_of(&Credentials::load(&path).unwrap(), LOCAL), Some("k"));
    assert!(matches!(remember(|_| None, LOCAL, &Secret::new("k")), Err(CredentialsError::NoPlace)));
}
