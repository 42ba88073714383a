//! How long the shipper waits.

use super::*;
use corral_spool::{Options, Owner};

fn shipper(dir: &std::path::Path) -> Shipper {
    let spool = Arc::new(Spool::create(Options::new(dir.to_owned()), Owner::default(), [1; 16], 1).expect("a spool"));
    Shipper {
        settings: Settings::from_env("test/1"),
        clock: Clock::system(),
        shared: Arc::default(),
        sources: Sources::new(spool),
        lanes: Vec::new(),
        next_handle: 1,
        next_orphans_ms: 0,
    }
}

/// A server that is back is found within the 15 s that the end of a program waits, however long it was away.
#[tokio::test]
async fn who_waits_for_the_end_cuts_a_long_wait_short() {
    let dir = tempfile::tempdir().expect("a directory");
    let shipper = shipper(dir.path());
    let began = shipper.clock.monotonic_ms();
    let backoff = Backoff::new();
    let hurry = async {
        // As `Run::wait` does: the flag is up only while somebody waits.
        shipper.shared.wake();
        tokio::time::sleep(Duration::from_millis(50)).await;
        shipper.shared.hurry.store(true, Ordering::Relaxed);
        shipper.shared.wake();
        tokio::time::sleep(Duration::from_millis(20)).await;
        shipper.shared.hurry.store(false, Ordering::Relaxed);
    };
    let both = async { tokio::join!(shipper.wait_to_reconnect(60_000, &backoff), hurry) };
    assert!(tokio::time::timeout(Duration::from_secs(10), both).await.is_ok(), "a minute is not waited for");
    let took = shipper.clock.monotonic_ms() - began;
    assert!(took >= 50 + HURRY_MS_MAX / 2, "{took} ms: a herd that ends at once is spread");
}

#[tokio::test]
async fn new_items_do_not_cut_it_short() {
    let dir = tempfile::tempdir().expect("a directory");
    let shipper = shipper(dir.path());
    let began = shipper.clock.monotonic_ms();
    shipper.shared.wake();
    shipper.wait_to_reconnect(300, &Backoff::new()).await;
    assert!(shipper.clock.monotonic_ms() - began >= 300);
}
