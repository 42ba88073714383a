//! Keys, login links and sessions: what opens, what does not, and when it ends.

use std::convert::Infallible;
use std::time::Duration;

use corral_domain::limits::{LOGIN_TOKEN_KEEP_MS_MAX, LOGIN_TOKENS_COUNT_MAX};
use corral_tasks::ManualClock;
use tempfile::TempDir;

use super::*;

struct Server {
    access: Access,
    clock: ManualClock,
    dir: TempDir,
    key: Secret,
}

fn start() -> Server {
    let (dir, clock) = (TempDir::new().unwrap(), ManualClock::new(Micros(1_800_000_000_000_000)));
    let access = Access::open(dir.path(), clock.clock()).unwrap();
    let mut key = None;
    let hand_over = |text: &Secret| {
        key = Some(text.clone());
        Ok::<_, Infallible>(())
    };
    let made = access.first_start(hand_over).unwrap();
    assert_eq!(made.unwrap().actor.as_str(), "owner");
    Server { access, clock, dir, key: key.unwrap() }
}
fn owner() -> Actor {
    "owner".parse().unwrap()
}
fn denied<T>(answer: Result<T, Denied>) -> bool {
    answer.err() == Some(Denied::Unauthenticated)
}

#[test]
fn the_first_start_makes_one_owner_whose_key_works_across_restarts() {
    let Server { access, clock, dir, key } = start();
    let principal = access.verify(key.expose()).unwrap();
    assert_eq!((principal.actor.as_str(), principal.role, principal.scope), ("owner", Role::Admin, Scope::Full));
    assert_eq!(Some(principal.organization), access.organization().map(|organization| organization.id));
    drop(access);
    let again = Access::open(dir.path(), clock.clock()).unwrap();
    assert!(again.first_start(|_| -> Result<(), Infallible> { panic!("no second owner") }).unwrap().is_none());
    assert_eq!(again.verify(key.expose()), Ok(principal));
    // Nothing that opens lies on the disk.
    let file = std::fs::read_to_string(dir.path().join("vault.json")).unwrap();
    assert!(!file.contains(key.expose()) && !file.contains(&key.expose()[20..]));
}

#[test]
fn an_owner_whose_key_could_not_be_handed_over_was_never_made() {
    let dir = TempDir::new().unwrap();
    let access = Access::open(dir.path(), Clock::system()).unwrap();
    let mut lost = None;
    let failed = access.first_start(|key| {
        lost = Some(key.clone());
        Err("the disk is full")
    });
    assert!(matches!(failed, Err(AccessError::NotHandedOver(_))));
    assert!(access.organization().is_none() && denied(access.verify(lost.unwrap().expose())));
    assert!(access.first_start(|_| Ok::<_, Infallible>(())).unwrap().is_some());
}

#[test]
fn a_key_opens_exactly_as_it_was_made() {
    let server = start();
    let text = server.key.expose().to_owned();
    let other = start();
    for at in 0..text.len() {
        for to in ["0", "1", "z", "_"] {
            let mut forged = text.clone();
            forged.replace_range(at..=at, to);
            assert!(forged == text || denied(server.access.verify(&forged)), "{forged}");
        }
    }
    assert!(denied(other.access.verify(&text)), "another server's key");
    for forged in ["", "Bearer", "corral", &text[1..], &text.to_uppercase(), &format!("{text}\0")] {
        assert!(denied(server.access.verify(forged)), "{forged}");
    }
}

#[test]
fn keys_have_a_role_a_scope_and_an_end() {
    let Server { access, clock, dir: _dir, .. } = start();
    let expires = Some(Micros(clock.clock().now().0 + 1_000_000));
    let actor: Actor = "trainer".parse().unwrap();
    let new = NewKey { name: "cluster".into(), actor, role: Role::Editor, scope: Scope::Train, expires };
    let (id, key) = access.create_key(new).unwrap();
    let principal = access.verify(key.expose()).unwrap();
    assert_eq!((principal.actor.as_str(), principal.role, principal.scope), ("trainer", Role::Editor, Scope::Train));
    assert_eq!(access.recheck(&principal), Ok(principal.clone()));
    assert_eq!(access.keys().len(), 2);
    clock.advance(Duration::from_millis(999));
    access.verify(key.expose()).unwrap();
    clock.advance(Duration::from_millis(1));
    assert!(denied(access.verify(key.expose())) && denied(access.recheck(&principal)));
    assert!(access.revoke_key(&id).unwrap() && !access.revoke_key(&id).unwrap());
}

#[test]
fn a_revoked_key_is_unknown_at_once() {
    let Server { access, key, dir: _dir, .. } = start();
    let principal = access.verify(key.expose()).unwrap();
    let Proof::Key(id) = &principal.proof else { panic!("a key's principal") };
    assert!(access.revoke_key(id).unwrap());
    assert!(denied(access.verify(key.expose())) && denied(access.recheck(&principal)));
}

#[test]
fn the_last_use_is_written_to_the_hour() {
    let Server { access, clock, key, dir: _dir } = start();
    let last = || access.keys()[0].record.last_used;
    assert_eq!(last(), None);
    let first = clock.clock().now();
    access.verify(key.expose()).unwrap();
    access.flush().unwrap();
    assert_eq!(last(), Some(first));
    for (advance, expect) in [(3_599, first), (1, Micros(first.0 + 3_600_000_000))] {
        clock.advance(Duration::from_secs(advance));
        access.verify(key.expose()).unwrap();
        access.flush().unwrap();
        assert_eq!(last(), Some(expect));
    }
}

#[test]
fn a_login_link_works_once_and_not_for_long() {
    let Server { access, clock, dir: _dir, .. } = start();
    let token = access.login_token(owner()).unwrap();
    assert_eq!(token.expose().len(), 32, "128 bits");
    assert!(denied(access.login("").unwrap()) && denied(access.login(&"0".repeat(32)).unwrap()));
    access.login(token.expose()).unwrap().ok().unwrap();
    assert!(denied(access.login(token.expose()).unwrap()), "twice");

    let late = access.login_token(owner()).unwrap();
    // The wall clock set back keeps nothing alive.
    clock.set(Micros(0));
    clock.advance(Duration::from_millis(LOGIN_TOKEN_KEEP_MS_MAX));
    assert!(denied(access.login(late.expose()).unwrap()));

    let tokens: Vec<_> = (0..=LOGIN_TOKENS_COUNT_MAX).map(|_| access.login_token(owner()).unwrap()).collect();
    assert!(denied(access.login(tokens[0].expose()).unwrap()), "pushed out");
    assert!(access.login(tokens[LOGIN_TOKENS_COUNT_MAX].expose()).unwrap().is_ok());
}

#[test]
fn a_session_needs_both_halves_and_ends() {
    let Server { access, clock, dir, .. } = start();
    let sign_in = || access.login(access.login_token(owner()).unwrap().expose()).unwrap().ok().unwrap();
    let (one, two) = (sign_in(), sign_in());
    let principal = access.session(one.cookie.expose(), one.value.expose()).unwrap();
    assert_eq!((principal.actor.as_str(), principal.role), ("owner", Role::Admin));
    for (cookie, value) in [
        (&one.cookie, &two.value),
        (&two.cookie, &one.value),
        (&one.value, &one.cookie),
        (&one.cookie, &one.cookie),
        (&one.cookie, &Secret::new("")),
        (&Secret::new(""), &one.value),
    ] {
        assert!(denied(access.session(cookie.expose(), value.expose())));
    }
    let file = std::fs::read_to_string(dir.path().join("vault.json")).unwrap();
    assert!(!file.contains(one.cookie.expose()) && !file.contains(one.value.expose()));

    assert!(access.logout(one.cookie.expose()).unwrap() && !access.logout(one.cookie.expose()).unwrap());
    assert!(denied(access.session(one.cookie.expose(), one.value.expose())) && denied(access.recheck(&principal)));
    let again = Access::open(dir.path(), clock.clock()).unwrap();
    assert!(again.session(two.cookie.expose(), two.value.expose()).is_ok());
    clock.advance(Duration::from_micros(SESSION_KEEP_US as u64));
    assert!(denied(again.session(two.cookie.expose(), two.value.expose())));
    again.flush().unwrap();
    assert!(!std::fs::read_to_string(dir.path().join("vault.json")).unwrap().contains("value_hash"));
}

#[test]
fn sessions_are_bounded_and_the_one_that_ends_first_goes() {
    let mut contents = Contents::default();
    let record = |expires| SessionRecord {
        value_hash: [0; 32],
        actor: owner(),
        organization: OrganizationId::from_bytes([0; 16]),
        role: Role::Viewer,
        created: Micros(0),
        expires: Micros(expires),
    };
    for at in 0..VAULT_SESSIONS_COUNT_MAX as i64 + 5 {
        let mut cookie = [0; 32];
        cookie[..8].copy_from_slice(&at.to_le_bytes());
        add_session(&mut contents, cookie, record(100 + at), Micros(0));
    }
    assert_eq!(contents.sessions.len(), VAULT_SESSIONS_COUNT_MAX);
    assert_eq!(contents.sessions.values().map(|session| session.expires).min(), Some(Micros(105)));
}
