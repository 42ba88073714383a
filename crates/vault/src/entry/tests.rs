//! Golden entries, and what is refused.

use super::*;
use crate::{KeyRecord, LoginRecord, Organization, Role, Scope, SessionRecord};
use corral_domain::{Actor, Micros, OrganizationId};

fn contents() -> Contents {
    let actor: Actor = "owner".parse().unwrap();
    let id = OrganizationId::from_bytes([7; 16]);
    let key = KeyRecord {
        name: "laptop".into(),
        hash: [1; 32],
        actor: actor.clone(),
        organization: id,
        role: Role::Editor,
        scope: Scope::Train,
        created: Micros(1),
        expires: None,
        last_used: Some(Micros(5)),
    };
    let role = Role::Commenter;
    let session = SessionRecord {
        value_hash: [9; 32],
        actor: actor.clone(),
        organization: id,
        role,
        created: Micros(2),
        expires: Micros(3),
    };
    Contents {
        organization: Some(Organization { id, name: "lab".into(), owner: actor.clone() }),
        keys: [("key1".to_owned(), key)].into(),
        sessions: [([8; 32], session)].into(),
        logins: [([6; 32], LoginRecord { actor, expires: Micros(4) })].into(),
    }
}

#[test]
fn entries_are_what_they_were_in_every_release() {
    let entries = to_entries(&[5; 32], &contents()).unwrap();
    let id = OrganizationId::from_bytes([7; 16]);
    let expect = [
        ("secret".to_owned(), format!("\"{}\"", "05".repeat(32))),
        ("organization".to_owned(), format!(r#"{{"id":"{id}","name":"lab","owner":"owner"}}"#)),
        (
            "key/key1".to_owned(),
            format!(
                r#"{{"name":"laptop","hash":"{}","actor":"owner","organization":"{id}","role":"editor","scope":"train","created_us":1,"expires_us":null,"last_used_us":5}}"#,
                "01".repeat(32)
            ),
        ),
        (
            format!("session/{}", "08".repeat(32)),
            format!(
                r#"{{"value_hash":"{}","actor":"owner","organization":"{id}","role":"commenter","created_us":2,"expires_us":3}}"#,
                "09".repeat(32)
            ),
        ),
        (format!("login/{}", "06".repeat(32)), r#"{"actor":"owner","expires_us":4}"#.to_owned()),
    ];
    let expect: Entries = expect.into_iter().map(|(name, json)| (name, format!("\u{1}{json}").into_bytes())).collect();
    assert_eq!(entries, expect);
    assert_eq!(from_entries(&entries).unwrap().unwrap(), ([5; 32], contents()));
    assert_eq!(from_entries(&Entries::new()).unwrap(), None);
}

#[test]
fn what_cannot_be_read_is_named_and_never_shown() {
    let good = to_entries(&[5; 32], &contents()).unwrap();
    let refused = |name: &str, value: &[u8]| {
        let mut entries = good.clone();
        entries.insert(name.to_owned(), value.to_vec());
        from_entries(&entries).unwrap_err()
    };
    assert_eq!(refused("key/key1", b"\x02{}"), "key/key1: has version 2; this program reads version 1");
    assert_eq!(refused("key/key1", b""), "key/key1: is empty");
    assert_eq!(refused("organization", b"\x01{\"hunter2\":1}"), "organization: cannot be read");
    assert!(refused("session/xyz", b"\x01{}").contains("64 hexadecimal digits"));
    assert!(refused("recipe", b"\x01{}").contains("no entry"));
    let mut bare = good.clone();
    bare.remove("secret");
    assert_eq!(from_entries(&bare).unwrap_err(), "secret: is missing");
}

#[test]
fn only_what_differs_is_changed() {
    let from = to_entries(&[5; 32], &contents()).unwrap();
    let mut next = contents();
    next.keys.clear();
    next.logins.insert([1; 32], LoginRecord { actor: "b".parse().unwrap(), expires: Micros(1) });
    let to = to_entries(&[5; 32], &next).unwrap();
    let changed = changes(&from, &to);
    let names: Vec<(&str, bool)> = changed.iter().map(|(name, value)| (name.as_str(), value.is_some())).collect();
    assert_eq!(names, [("key/key1", false), (&*format!("login/{}", "01".repeat(32)), true)]);
    assert!(changes(&to, &to).is_empty());
}
