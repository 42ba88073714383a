//! A bit flipped at every byte of a small log: nothing wrong is served, and what was acknowledged and cannot be read is
//! named when the log is opened, the last record too.

use corral_domain::Partition;
use corral_event_log::EventLog;
use corral_event_log_embedded::sim::{Image, SimStorage};

use crate::common::{PARTITIONS, View, open, payload, report, view};

/// Records of the largest append: what one damaged bit may take away.
pub(crate) const APPEND_RECORDS: u64 = 3;

pub(crate) async fn small_log() -> (Image, Vec<View>) {
    let sim = SimStorage::default();
    let log = open(sim.clone());
    for index in 0..36_u64 {
        let records = (0..1 + index % APPEND_RECORDS).map(|part| payload(index * 3 + part)).collect();
        log.append(Partition((index % 3 / 2) as u16), records).await.expect("the append is acknowledged");
    }
    let views = view(&log).await;
    drop(log);
    let image = sim.live();
    let segments =
        |dir: &str| image.files.keys().filter(|path| path.starts_with(dir) && path.ends_with(".seg")).count();
    assert!(segments("p00000") >= 3 && segments("p00001") >= 2, "sealed segments and active ones");
    assert_eq!(views.len(), usize::from(PARTITIONS));
    (image, views)
}

/// Holds what a damaged log shows against the whole one; answers how many records it lost.
pub(crate) fn check(damaged: &[View], whole: &[View], what: &str) -> u64 {
    let mut lost = 0;
    for (damaged, whole) in damaged.iter().zip(whole) {
        assert_eq!((damaged.start, damaged.tail), (whole.start, whole.tail), "{what}");
        for (offset, record) in &damaged.records {
            assert!(whole.records.get(offset) == Some(record), "{what}: offset {offset} is served wrong");
        }
        for offset in whole.records.keys().filter(|offset| !damaged.records.contains_key(offset)) {
            assert!(damaged.is_in_hole(*offset), "{what}: offset {offset} is lost and not named");
            lost += 1;
        }
        for hole in &damaged.holes {
            let served = (hole.from.0..hole.to.0).any(|offset| damaged.records.contains_key(&offset));
            assert!(!served, "{what}: {hole:?} is served");
        }
    }
    lost
}

#[tokio::test]
async fn every_flip_is_found_when_the_log_is_opened() {
    let (image, whole) = small_log().await;
    let (mut flips, mut with_loss, mut last_named) = (0_u64, 0_u64, false);
    for (path, content) in &image.files {
        for byte in 0..content.len() {
            let sim = SimStorage::new(image.clone());
            sim.flip(path, byte, (byte % 8) as u8);
            let what = format!("{path}, byte {byte}");
            let log = open(sim.clone());
            let views = view(&log).await;
            let lost = check(&views, &whole, &what);
            assert!(lost <= APPEND_RECORDS, "{what}: {lost} records lost to one bit");
            last_named |= views.iter().any(|view| view.is_in_hole(view.tail - 1));
            (flips, with_loss) = (flips + 1, with_loss + u64::from(lost > 0));
            if byte % 16 == 0 {
                let at = log.append(Partition(0), vec![payload(9)]).await.expect("the log goes on").first();
                assert_eq!(at.offset.0, whole[0].tail, "{what}");
                drop(log);
                let mut again = view(&open(sim)).await;
                assert_eq!(again[0].records.remove(&at.offset.0).map(|record| record.1), Some(payload(9)), "{what}");
                again[0].tail = at.offset.0;
                assert_eq!(again, views, "{what}: the damage is named each time");
            }
        }
    }
    report(&format!("{flips} flips, {with_loss} of them took records away"));
    assert!(flips > 5_000 && with_loss > 2_000, "{flips} flips, {with_loss} with loss");
    assert!(last_named, "damage to the last record is named too");
}

#[tokio::test]
async fn a_flip_under_an_open_log_is_found_by_who_reads_it() {
    let (image, whole) = small_log().await;
    let mut with_loss = 0;
    for (path, content) in image.files.iter().filter(|(path, _)| path.ends_with(".seg")) {
        for byte in (0..content.len()).step_by(5) {
            let sim = SimStorage::new(image.clone());
            let log = open(sim.clone());
            sim.flip(path, byte, (byte % 8) as u8);
            // The first look finds the hole, so holes are listed after it.
            view(&log).await;
            let views = view(&log).await;
            let lost = check(&views, &whole, &format!("{path}, byte {byte}, while open"));
            assert!(lost <= APPEND_RECORDS);
            with_loss += u64::from(lost > 0);
        }
    }
    assert!(with_loss > 200, "{with_loss} flips took records away");
}
