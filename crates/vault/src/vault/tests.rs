//! What is changed is there again; what cannot be read is named and left alone.

use corral_domain::{Actor, Micros, OrganizationId};
use tempfile::TempDir;

use super::*;
use crate::{KeyRecord, Organization, Role, Scope, SessionRecord};

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
