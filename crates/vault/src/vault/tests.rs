//! What is changed is there again; what cannot be read is named and left alone.

use corral_domain::{Actor, Micros, OrganizationId};
use tempfile::TempDir;

use super::*;
use crate::{KeyRecord, MemoryStorage, Organization, Role, Scope, SessionRecord};

fn fill(contents: &mut Contents) {
    let actor: Actor = "owner".parse().unwrap();
    let organization = OrganizationId::from_bytes([7; 16]);
    contents.organization = Some(Organization { id: organization, name: "Ada's \"lab\"".into(), owner: actor.clone() });
    for (role, scope) in [(Role::Admin, Scope::Full), (Role::Editor, Scope::Train), (Role::Viewer, Scope::Read)] {
        let key = KeyRecord {
            name: "laptop".into(),
            hash: [role as u8; 32],
            actor: actor.clone(),
            organization,
            role,
            scope,
            created: Micros(1),
            expires: (role == Role::Viewer).then_some(Micros(i64::MAX)),
            last_used: (role == Role::Admin).then_some(Micros(5)),
        };
        contents.keys.insert(format!("key{}", role as u8), key);
    }
    let (created, expires) = (Micros(2), Micros(3));
    let session = SessionRecord { value_hash: [9; 32], actor, organization, role: Role::Commenter, created, expires };
    contents.sessions.insert([8; 32], session);
}

#[test]
fn changes_survive_and_keep_the_secret() {
    let dir = TempDir::new().unwrap();
    let vault = Vault::open(&dir.path().join("vault")).unwrap();
    vault.change(fill).unwrap();
    let (hash, contents) = (vault.keyed_hash("test", &[b"x"]), vault.read(Contents::clone));
    drop(vault);
    fs::write(dir.path().join("vault/vault.json.new"), "torn by a crash").unwrap();
    let again = Vault::open(&dir.path().join("vault")).unwrap();
    assert_eq!(again.read(Contents::clone), contents);
    assert_eq!(again.keyed_hash("test", &[b"x"]), hash);
    again.change(|contents| contents.keys.clear()).unwrap();
    drop(again);
    assert!(Vault::open(&dir.path().join("vault")).unwrap().read(|contents| contents.keys.is_empty()));
}

#[test]
fn it_is_its_owners_alone() {
    let dir = TempDir::new().unwrap();
    let place = dir.path().join("vault");
    drop(Vault::open(&place).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&place), mode(&place.join("vault.json"))), (0o700, 0o600));
    fs::set_permissions(place.join("vault.json"), fs::Permissions::from_mode(0o644)).unwrap();
    Vault::open(&place).unwrap().change(fill).unwrap();
    assert_eq!(mode(&place.join("vault.json")), 0o600);
}

#[test]
fn a_failed_write_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let place = dir.path().join("vault");
    let vault = Vault::open(&place).unwrap();
    fs::create_dir_all(place.join("vault.json.new/in/the/way")).unwrap();
    assert!(matches!(vault.change(fill), Err(VaultError::Io { .. })));
    assert_eq!(vault.read(Contents::clone), Contents::default());
}

#[test]
fn hashes_differ_by_purpose_and_by_where_parts_end() {
    let dir = TempDir::new().unwrap();
    let vault = Vault::open(dir.path()).unwrap();
    let hashes = [
        vault.keyed_hash("key", &[b"ab", b"c"]),
        vault.keyed_hash("key", &[b"a", b"bc"]),
        vault.keyed_hash("key", &[b"abc"]),
        vault.keyed_hash("keya", &[b"bc"]),
        Vault::open(&dir.path().join("other")).unwrap().keyed_hash("key", &[b"ab", b"c"]),
    ];
    let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
}

/// No cut and no changed field is taken for a vault, and the file stays for whoever can mend it.
#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let vault = Vault::open(dir.path()).unwrap();
    vault.change(fill).unwrap();
    let path = dir.path().join("vault.json");
    let good = fs::read_to_string(&path).unwrap();
    let mut bad: Vec<String> = (0..good.len() - 2).step_by(7).map(|cut| good[..cut].to_owned()).collect();
    for (from, to) in [
        ("\"version\": 1", "\"version\": 2"),
        ("\"role\": \"admin\"", "\"role\": \"root\""),
        ("\"scope\": \"read\"", "\"scope\": \"\""),
        ("\"actor\": \"owner\"", "\"actor\": \"a/b\""),
        ("\"hash\": \"04", "\"hash\": \"0x"),
        ("\"hash\": \"04", "\"hash\": \"\u{e9}"),
        ("\"created_us\"", "\"created_ms\""),
    ] {
        assert!(good.contains(from), "{from}");
        bad.push(good.replacen(from, to, 1));
    }
    for text in bad {
        fs::write(&path, &text).unwrap();
        let refused = Vault::open(dir.path()).err();
        assert!(matches!(&refused, Some(VaultError::Damaged { .. })), "{text}");
        let message = refused.unwrap().to_string();
        assert!(!message.contains("0404") && !message.contains("root"), "{message}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

fn key(name: &str) -> KeyRecord {
    let mut contents = Contents::default();
    fill(&mut contents);
    KeyRecord { name: name.into(), ..contents.keys.remove("key4").unwrap() }
}

#[test]
fn processes_that_share_one_have_one_secret_and_lose_no_change() {
    let storage = Arc::new(MemoryStorage::default());
    let open = || Vault::shared(storage.clone()).unwrap();
    let (one, two) = (open(), open());
    assert_eq!(one.keyed_hash("test", &[b"x"]), two.keyed_hash("test", &[b"x"]));
    std::thread::scope(|scope| {
        for (vault, name) in [(&one, "one"), (&two, "two")] {
            scope.spawn(move || {
                for number in 0..50 {
                    // Who loses too many races in a row is told to come back later.
                    let later = |result| matches!(result, Err(VaultError::Unavailable(_)));
                    while later(
                        vault.change(|contents| drop(contents.keys.insert(format!("{name}{number}"), key(name)))),
                    ) {}
                }
            });
        }
    });
    assert!(one.read(|contents| contents.keys.len()) >= 50, "its own, at least");
    one.refresh().unwrap();
    two.refresh().unwrap();
    for vault in [&one, &two, &open()] {
        assert_eq!(vault.read(|contents| contents.keys.len()), 100);
    }
}

#[test]
fn what_was_seen_last_is_there_while_the_storage_is_away() {
    let storage = Arc::new(MemoryStorage::default());
    let (one, two) = (Vault::shared(storage.clone()).unwrap(), Vault::shared(storage.clone()).unwrap());
    one.change(fill).unwrap();
    assert_eq!(two.read(|contents| contents.keys.len()), 0, "it has not looked");
    two.refresh().unwrap();
    storage.set_away(true);
    assert!(matches!(two.refresh(), Err(VaultError::Unavailable(_))));
    assert!(matches!(two.change(|contents| contents.keys.clear()), Err(VaultError::Unavailable(_))));
    assert_eq!(two.read(|contents| contents.keys.len()), 3, "as it was seen last");
    assert!(matches!(Vault::shared(storage.clone()), Err(VaultError::Unavailable(_))), "nothing to go by");
    storage.set_away(false);
    two.change(|contents| contents.keys.clear()).unwrap();
    one.refresh().unwrap();
    assert!(one.read(|contents| contents.keys.is_empty()));
}

#[test]
fn a_shared_vault_that_was_made_anew_is_not_taken_for_the_old_one() {
    let old = Arc::new(MemoryStorage::default());
    let vault = Vault::shared(old.clone()).unwrap();
    let new = to_entries_of_another_secret();
    assert!(old.swap(1, &new).unwrap());
    let error = vault.refresh().unwrap_err().to_string();
    assert!(error.contains("another secret"), "{error}");
}

fn to_entries_of_another_secret() -> Vec<crate::EntryChange> {
    let entries = entry::to_entries(&[1; 32], &Contents::default()).unwrap();
    entry::changes(&Entries::new(), &entries)
}
