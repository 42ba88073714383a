//! Every statement of the list, as the engine sees it.

use corral_domain::BuildId;
use corral_read_store_scylla::statements::{Keyspace, Owned, Shared};
use scylla::client::session_builder::SessionBuilder;

use super::{engine, shared};

/// The engine takes each, and the driver knows the way of those that have a key: to the node that holds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_prepares_every_statement() {
    drop(shared().await);
    let login = engine().login();
    let session = SessionBuilder::new().known_node(engine().address()).user(login.user, login.password);
    let session = session.build().await.expect("a session");
    let keyspace = Keyspace::new("corral").expect("a name");
    let build = BuildId(1);
    let (mut prepared, mut routed) = (0, 0);
    for of in Owned::all() {
        let statement =
            session.prepare(of.text(&keyspace, build)).await.unwrap_or_else(|error| panic!("{of:?}: {error}"));
        prepared += 1;
        let has_key = !matches!(
            of,
            Owned::Create(_) | Owned::Drop(_) | Owned::CreateCheckpoint | Owned::DropCheckpoint | Owned::DumpKeys(_)
        );
        assert_eq!(statement.is_token_aware(), has_key, "{of:?}");
        routed += usize::from(has_key);
    }
    for of in Shared::ALL {
        session.prepare(of.text(&keyspace)).await.unwrap_or_else(|error| panic!("{of:?}: {error}"));
        prepared += 1;
    }
    assert_eq!((prepared, routed), (228, 165));
}
