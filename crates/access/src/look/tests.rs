//! Two processes over one vault: what one makes and takes back, the other sees.

use std::convert::Infallible;
use std::sync::Arc;

use corral_tasks::Clock;
use corral_vault::MemoryStorage;

use crate::{Access, AccessError, Denied, NewKey, Role, Scope, Secret};

fn two() -> (Arc<MemoryStorage>, Access, Access) {
    let storage = Arc::new(MemoryStorage::default());
    let open = || Access::shared(storage.clone(), Clock::system()).unwrap();
    let (one, two) = (open(), open());
    (storage, one, two)
}

fn owner_of(access: &Access) -> Secret {
    let mut key = None;
    let hand_over = |text: &Secret| {
        key = Some(text.clone());
        Ok::<_, Infallible>(())
    };
    access.first_start(hand_over).unwrap().expect("there was no owner");
    key.unwrap()
}

fn trainer() -> NewKey {
    let actor = "ada".parse().unwrap();
    NewKey { name: "a trainer's".into(), actor, role: Role::Editor, scope: Scope::Train, expires: None }
}

#[tokio::test]
async fn a_key_and_a_session_of_one_process_open_the_other() {
    let (_, one, two) = two();
    let owner = owner_of(&one);
    assert_eq!(two.verify(owner.expose()), Err(Denied::Unauthenticated), "it has not looked");
    two.look_again().await.unwrap();
    assert_eq!(two.verify(owner.expose()).unwrap(), one.verify(owner.expose()).unwrap());
    let none = two.first_start(|_| -> Result<(), Infallible> { panic!("no second owner") }).unwrap();
    assert!(none.is_none());

    // A link of one process, used at the other, opens both; once.
    let token = one.login_token("owner".parse().unwrap()).unwrap();
    let session = two.login(token.expose()).unwrap().unwrap();
    for access in [&one, &two] {
        assert!(access.login(token.expose()).unwrap().is_err(), "it is used up");
        access.look_again().await.unwrap();
        access.session(session.cookie.expose(), session.value.expose()).unwrap();
    }
    assert!(one.logout(session.cookie.expose()).unwrap());
    let principal = two.session(session.cookie.expose(), session.value.expose()).unwrap();
    two.refresh().unwrap();
    assert_eq!(two.recheck(&principal), Err(Denied::Unauthenticated));
}

#[tokio::test]
async fn known_keys_open_while_the_vault_is_away_and_unknown_ones_are_asked_to_come_later() {
    let (storage, one, two) = two();
    let owner = owner_of(&one);
    two.look_again().await.unwrap();
    let (id, new) = one.create_key(trainer()).unwrap();
    storage.set_away(true);
    assert!(two.verify(owner.expose()).is_ok(), "a cached decision goes on");
    assert_eq!(two.verify(new.expose()), Err(Denied::Unauthenticated));
    assert_eq!(two.look_again().await, Err(Denied::Later), "nobody can say that there is no such key");
    assert!(one.create_key(trainer()).err().is_some_and(|error| error.is_retryable()));
    storage.set_away(false);
    two.look_again().await.unwrap();
    assert_eq!(two.verify(new.expose()).unwrap().actor.as_str(), "ada");
    assert!(two.revoke_key(&id).unwrap());
    one.refresh().unwrap();
    assert_eq!(one.verify(new.expose()), Err(Denied::Unauthenticated));
}

#[tokio::test]
async fn many_who_are_unknown_cost_one_look() {
    let (_, one, two) = two();
    owner_of(&one);
    let looks = (0..100).map(|_| two.look_again());
    let before = two.looks.begun.load(std::sync::atomic::Ordering::Relaxed);
    futures_util::future::join_all(looks).await.into_iter().for_each(|looked| looked.unwrap());
    let after = two.looks.begun.load(std::sync::atomic::Ordering::Relaxed);
    assert!((1..=2).contains(&(after - before)), "{after}");
}

#[test]
fn a_key_of_somebody_else_makes_one_owner() {
    let (_, one, two) = two();
    let key = format!("corral_{}_{}", "a".repeat(12), "0".repeat(64));
    assert!(matches!(one.first_start_with("corral_short"), Err(AccessError::NotAKey)));
    assert!(one.first_start_with(&key).unwrap().is_some());
    assert!(two.first_start_with(&key).unwrap().is_none(), "it sees that there is one");
    assert_eq!(two.verify(&key).unwrap().role, Role::Admin);
}
