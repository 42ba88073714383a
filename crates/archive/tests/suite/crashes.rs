//! An archiver that dies at any step leaves an archive that can be read, and the next one goes on.

use corral_archive::{Archive, ArchiveError, Gathering};
use corral_blob_store::failing;
use corral_domain::Micros;
use corral_event_log::EventLog;

use crate::common::{ONE, SMALL, all, archive, check_records, fill, identity, memory_log, records_of, without_repeats};

#[tokio::test]
async fn it_may_die_at_any_step() {
    let log = memory_log(1);
    fill(&*log).await;
    let whole = all(&*log, ONE).await.0;
    let (mut step, mut deaths) = (0, 0);
    loop {
        let mut died = false;
        for done in [false, true] {
            let disk = failing::memory();
            let first = archive(failing::dies_at(&disk, step, done), &*log).await;
            died |= first.is_err();
            // What it left is the beginning of what it would have left.
            let left = Archive::open(failing::lives(&disk), identity(1)).await.expect("it opens");
            let end = left.extent(ONE).expect("an extent").tail;
            check_records(&records_of(&left, ONE).await, &whole, end);
            // And the next life, which dies soon too, and the one after it go on from there.
            let _ = archive(failing::dies_at(&disk, 2, done), &*log).await;
            let last = archive(failing::lives(&disk), &*log).await.expect("an archive");
            let end = last.extent(ONE).expect("an extent").tail;
            assert_eq!(end.0, whole.len() as u64, "step {step}, done {done}");
            let records = records_of(&last, ONE).await;
            check_records(&records, &whole, end);
            assert_eq!(
                records.len(),
                without_repeats(&whole).len(),
                "what repeats is left out, step {step}, done {done}"
            );
            // Only who died between a segment and its entry left garbage, and it can be told from the rest.
            let entries = last.entries(ONE).expect("entries").len() as u64;
            let swept = last.sweep(ONE, Micros(i64::MAX)).await.expect("a sweep");
            assert!(swept <= 2, "{swept} of {entries}");
            check_records(&records_of(&last, ONE).await, &whole, end);
        }
        if !died {
            break;
        }
        (step, deaths) = (step + 1, deaths + 1);
    }
    assert!(deaths > 20, "it could die at {deaths} steps");
}

#[tokio::test]
async fn of_two_at_once_the_first_wins_and_the_other_goes_on_behind_it() {
    let log = memory_log(1);
    fill(&*log).await;
    let whole = all(&*log, ONE).await.0;
    let end = corral_domain::Offset(whole.len() as u64);
    let disk = failing::memory();
    let one = Archive::open(failing::lives(&disk), identity(1)).await.expect("it opens");
    let two = Archive::open(failing::lives(&disk), identity(1)).await.expect("it opens");
    let mut lost = 0;
    loop {
        let (mut a, mut b) = (
            Gathering::begin(&one, &*log, ONE).await.expect("one begins"),
            Gathering::begin(&two, &*log, ONE).await.expect("the other begins"),
        );
        let tail = log.extent(ONE).await.expect("an extent").tail;
        if a.next() == tail {
            break;
        }
        assert_eq!(a.next(), b.next());
        a.take(log.read(ONE, a.next(), 2_000).await.expect("a read"));
        b.take(log.read(ONE, b.next(), 6_000).await.expect("a read"));
        a.close(&one).await.expect("the first to come");
        match b.close(&two).await {
            Err(ArchiveError::Overtaken { .. }) => lost += 1,
            other => panic!("it was overtaken: {:?}", other.map(|gathering| gathering.next())),
        }
    }
    assert!(lost > 5);
    let records = records_of(&one, ONE).await;
    check_records(&records, &whole, end);
    two.refresh(ONE).await.expect("a refresh");
    assert_eq!(records_of(&two, ONE).await, records);
    let swept = one.sweep(ONE, Micros(i64::MAX)).await.expect("a sweep");
    assert!(swept > 0 && swept <= lost, "{swept} segments of {lost} lost races");
    assert_eq!(records_of(&one, ONE).await, records);
}

#[tokio::test]
async fn a_segment_is_closed_when_it_is_full_or_old() {
    let log = memory_log(1);
    fill(&*log).await;
    let archive = Archive::open(failing::lives(&failing::memory()), identity(1)).await.expect("it opens");
    let mut gathering = Gathering::begin(&archive, &*log, ONE).await.expect("it begins");
    let old = Micros(i64::MAX);
    assert!(!gathering.is_due(&SMALL, old), "nothing is never closed");
    gathering.take(log.read(ONE, gathering.next(), 500).await.expect("a read"));
    let first = Micros(1_700_000_000_000_000);
    assert!(!gathering.is_due(&corral_archive::Limits::default(), first));
    assert!(gathering.is_due(&corral_archive::Limits::default(), Micros(first.0 + 600_000_000)));
    gathering.take(log.read(ONE, gathering.next(), 8_000).await.expect("a read"));
    assert!(gathering.is_due(&SMALL, first));
}
