//! Whose rings are taken up, and what is said of the others.

use corral_spool::{Options, Owner, WriterIdentity};

use super::*;

const URL: &str = "http://127.0.0.1:4870";

/// A spool with one item, of that organization.
fn spool(dir: &Path, id: u8, organization: &str) -> Spool {
    let owner = Owner { url: URL.to_owned(), organization: organization.to_owned(), actor: "ada".to_owned() };
    let spool = Spool::create(Options::new(dir.to_owned()), owner, [id; 16], 1).expect("a spool");
    let identity = WriterIdentity { writer_id: [id; 16], epoch: 1, run_id: "r".into() };
    let writer = spool.open_writer(identity).expect("a writer");
    spool.append(writer, 1, b"item").expect("append");
    spool
}

fn settings() -> Settings {
    let mut settings = Settings::from_env("test/1");
    settings.set_url(URL);
    settings
}

#[test]
fn rings_of_an_organization_that_is_gone_are_named_once_and_left() {
    let dir = tempfile::tempdir().expect("a directory");
    let shared = Shared::default();
    let path = {
        let ended = spool(dir.path(), 1, "before");
        ended.path().to_owned()
    };
    let alive = spool(dir.path(), 2, "before");
    let mut sources = Sources::new(Arc::new(spool(dir.path(), 3, "now")));
    for _ in 0..2 {
        assert!(sources.adopt(&settings(), &shared).is_empty(), "none of it may be sent");
    }
    assert_eq!(shared.warned_of("foreign"), [path.display().to_string()], "{} lives", alive.path().display());
    assert!(path.exists());
}

#[test]
fn a_ring_that_was_taken_up_before_the_server_said_who_it_is_is_named_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let shared = Shared::default();
    let path = {
        let ended = spool(dir.path(), 1, "before");
        ended.path().to_owned()
    };
    let mut sources = Sources::new(Arc::new(spool(dir.path(), 2, "")));
    assert_eq!(sources.adopt(&settings(), &shared).len(), 1);
    assert!(shared.warned_of("foreign").is_empty());
    let foreign = sources.identified("now", "ada", &shared);
    assert_eq!(foreign.iter().map(|spool| spool.path()).collect::<Vec<_>>(), [&path]);
    assert_eq!(shared.warned_of("foreign"), [path.display().to_string()]);
}
