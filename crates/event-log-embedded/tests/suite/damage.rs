//! Damage larger than a bit: nothing wrong is served, all that is lost and was acknowledged is named, the rest is served
//! and the log goes on; and a damaged log keeps what it has through power cuts like a whole one.

use std::sync::Arc;

use corral_domain::Partition;
use corral_event_log::{EventLog, LogError};
use corral_event_log_embedded::sim::faults::FaultyStorage;
use corral_event_log_embedded::sim::{Image, SimStorage};
use corral_event_log_embedded::{EmbeddedLog, Options};

use crate::bit_flips::{APPEND_RECORDS, check, small_log};
use crate::common::{View, open, options, payload, view};

const P0: Partition = Partition(0);

/// Paths of the segments of partition 0, in order.
fn segments(image: &Image) -> Vec<String> {
    image.files.keys().filter(|path| path.starts_with("p00000/") && path.ends_with(".seg")).cloned().collect()
}

fn base(path: &str) -> u64 {
    let digits = path.trim_start_matches("p00000/").trim_end_matches(".seg");
    digits.parse().expect("a segment is named by its first offset")
}

/// The end of the data of a segment: what follows is zeros.
fn data_end(content: &[u8]) -> usize {
    content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

struct Case {
    what: &'static str,
    damage: fn(&mut Image, &[String]),
    /// Offsets of partition 0 that are lost, given the bases of its segments and its tail.
    lost: fn(&[u64]) -> std::ops::Range<u64>,
}

const CASES: [Case; 10] = [
    Case {
        what: "both copies of a sealed segment's header: the first batch knows the salt",
        damage: |image, paths| image.files.get_mut(&paths[1]).expect("a segment")[..256].fill(0xff),
        lost: |_| 0..0,
    },
    Case {
        what: "both copies of the active segment's header",
        damage: |image, paths| image.files.get_mut(&paths[paths.len() - 1]).expect("a segment")[..256].fill(0),
        lost: |_| 0..0,
    },
    Case {
        what: "a sealed segment's first sector: the footer knows the salt",
        damage: |image, paths| image.files.get_mut(&paths[0]).expect("a segment")[..300].fill(0),
        lost: |_| 0..1,
    },
    Case {
        what: "a sealed segment's first and last sectors",
        damage: |image, paths| {
            let content = image.files.get_mut(&paths[1]).expect("a segment");
            let end = content.len();
            content[..300].fill(0);
            content[end - 9..].fill(0);
        },
        lost: |bases| bases[1]..bases[2],
    },
    Case {
        what: "the active segment's first sector",
        damage: |image, paths| image.files.get_mut(&paths[paths.len() - 1]).expect("a segment")[..300].fill(0),
        lost: |bases| bases[bases.len() - 2]..bases[bases.len() - 1],
    },
    Case {
        what: "a sealed segment is gone",
        damage: |image, paths| drop(image.files.remove(&paths[1])),
        lost: |bases| bases[1]..bases[2],
    },
    Case {
        what: "the first segment is gone",
        damage: |image, paths| drop(image.files.remove(&paths[0])),
        lost: |bases| bases[0]..bases[1],
    },
    Case {
        what: "the active segment is gone",
        damage: |image, paths| drop(image.files.remove(&paths[paths.len() - 1])),
        lost: |bases| bases[bases.len() - 2]..bases[bases.len() - 1],
    },
    Case {
        what: "all segments are gone",
        damage: |image, paths| paths.iter().for_each(|path| drop(image.files.remove(path))),
        lost: |bases| 0..bases[bases.len() - 1],
    },
    Case {
        what: "the data of the active segment is zeros, as if its writes had been lost",
        damage: |image, paths| image.files.get_mut(&paths[paths.len() - 1]).expect("a segment")[256..].fill(0),
        lost: |bases| bases[bases.len() - 2]..bases[bases.len() - 1],
    },
];

#[tokio::test]
async fn what_is_lost_is_named_and_the_rest_is_served() {
    let (image, whole) = small_log().await;
    let paths = segments(&image);
    let bases: Vec<u64> = paths.iter().map(|path| base(path)).chain([whole[0].tail]).collect();
    for Case { what, damage, lost } in CASES {
        let mut damaged = image.clone();
        damage(&mut damaged, &paths);
        let sim = SimStorage::new(damaged);
        let log = open(sim.clone());
        let views = view(&log).await;
        let lost = lost(&bases);
        assert_eq!(check(&views, &whole, what), lost.end - lost.start, "{what}");
        let holes: Vec<_> = views[0].holes.iter().map(|hole| hole.from.0..hole.to.0).collect();
        assert_eq!(holes, if lost.is_empty() { vec![] } else { vec![lost] }, "{what}");
        goes_on(log, sim, &views, what).await;
    }
}

/// The log appends behind its tail, and shows the same holes when it is opened again.
async fn goes_on(log: EmbeddedLog, sim: SimStorage, views: &[View], what: &str) {
    let at = log.append(P0, vec![payload(9), payload(10)]).await.expect("the log goes on").first();
    assert_eq!(at.offset.0, views[0].tail, "{what}");
    drop(log);
    for _ in 0..2 {
        let mut again = view(&open(sim.clone())).await;
        for index in 0..2 {
            let record = again[0].records.remove(&(at.offset.0 + index)).map(|(_, bytes)| bytes);
            assert_eq!(record, Some(payload(9 + index)), "{what}");
        }
        again[0].tail = at.offset.0;
        assert_eq!(again, views, "{what}: opened again");
    }
}

#[tokio::test]
async fn an_active_segment_that_was_cut_short_anywhere_is_named() {
    let (image, whole) = small_log().await;
    let paths = segments(&image);
    let last = paths.last().expect("a segment");
    for cut in 256..data_end(&image.files[last]) {
        let mut damaged = image.clone();
        damaged.files.get_mut(last).expect("a segment").truncate(cut);
        let views = view(&open(SimStorage::new(damaged))).await;
        assert!(check(&views, &whole, &format!("cut at {cut}")) > 0, "cut at {cut}");
    }
}

#[tokio::test]
async fn sectors_that_cannot_be_read_are_a_hole() {
    let (image, whole) = small_log().await;
    let last = segments(&image).pop().expect("a segment");
    for (path, from) in [("p00000/00000000000000000000", 700), (last.as_str(), 300)] {
        let (storage, faults) = FaultyStorage::new(SimStorage::new(image.clone()));
        faults.bad_sectors.lock().expect("not poisoned").push((path.to_owned(), from..from + 1));
        let views = view(&open(storage)).await;
        assert!(check(&views, &whole, path) > 0, "{path}: a sector is gone");
    }
}

#[tokio::test]
async fn bad_sectors_before_a_tail_that_is_written_again_are_a_hole() {
    let one_segment = Options { segment_bytes_max: 64 * 1024, ..options() };
    let sim = SimStorage::default();
    let log = EmbeddedLog::open(Arc::new(sim.clone()), one_segment.clone()).expect("the log opens");
    for index in 0..100 {
        log.append(Partition(0), vec![payload(index)]).await.expect("acknowledged");
    }
    let whole = view(&log).await;
    drop(log);
    // Without its mark the last group is not known to be on the disk.
    let mut image = sim.live();
    image.files.remove("p00000/synced").expect("a mark");
    let (storage, faults) = FaultyStorage::new(SimStorage::new(image));
    faults.bad_sectors.lock().expect("not poisoned").push((".seg".to_owned(), 6_000..6_001));
    let log = EmbeddedLog::open(Arc::new(storage), one_segment).expect("the log opens");
    let lost = check(&view(&log).await, &whole, "a bad sector");
    assert!((1..90).contains(&lost), "{lost} records lost to one sector");
}

#[tokio::test]
async fn a_log_without_its_identity_is_refused() {
    let (image, _) = small_log().await;
    let mut missing = image.clone();
    missing.files.remove("identity");
    let mut damaged = image.clone();
    damaged.files.get_mut("identity").expect("it is there").fill(0);
    let mut foreign = image.clone();
    let (other, _) = small_log().await;
    foreign.files.insert("identity".to_owned(), other.files["identity"].clone());
    let mut moved = image.clone();
    let paths = segments(&moved);
    moved.files.insert(paths[1].clone(), image.files[&paths[0]].clone());
    let refused =
        [(missing, "identity is missing"), (damaged, "slots"), (foreign, "another log"), (moved, "another log")];
    for (image, says) in refused {
        let sim = SimStorage::new(image.clone());
        let result = EmbeddedLog::open(Arc::new(sim.clone()), options()).map(|_| ());
        let Err(LogError::Fatal(reason)) = result else { panic!("{says}: {result:?}") };
        assert!(reason.contains(says), "{reason}");
        assert!(sim.now() == 0 && sim.live() == image, "{says}: nothing was written");
    }
}

#[tokio::test]
async fn a_damaged_log_goes_through_power_cuts_like_a_whole_one() {
    let (image, whole) = small_log().await;
    let paths = segments(&image);
    let last = paths.last().expect("a segment");
    let end = data_end(&image.files[last]);
    let mut cases = 0;
    for (path, byte) in [(&paths[0], 400), (&paths[1], 10), (last, 300), (last, end - 3)] {
        let start = SimStorage::new(image.clone());
        start.flip(path, byte, 3);
        let sim = SimStorage::new(start.live());
        let log = open(sim.clone());
        let before = view(&log).await;
        let mut acknowledged = Vec::new();
        for index in 0..8 {
            let at = log.append(P0, vec![payload(index), payload(index + 50)]).await.expect("the log goes on").first();
            acknowledged.push((at.offset.0, [payload(index), payload(index + 50)], sim.now()));
        }
        drop(log);
        let history = sim.history();
        for moment in 0..history.moments() {
            for (part, image) in history.crash(moment).images(3, moment as u64) {
                let what = format!("{path}, byte {byte}, power cut behind {moment}, {part}");
                let views = view(&open(SimStorage::new(image))).await;
                assert_eq!(views[0].holes, before[0].holes, "{what}");
                for (offset, records, when) in &acknowledged {
                    let seen = [0, 1].map(|index| views[0].records.get(&(offset + index)).map(|(_, bytes)| bytes));
                    let whole = seen == [Some(&records[0]), Some(&records[1])];
                    assert!(whole || seen == [None, None] && *when > moment, "{what}: offset {offset}: {seen:?}");
                }
                let mut old = views;
                old[0].records.retain(|offset, _| *offset < whole[0].tail);
                old[0].tail = whole[0].tail;
                assert!(check(&old, &whole, &what) <= APPEND_RECORDS);
                cases += 1;
            }
        }
    }
    assert!(cases > 500, "{cases} power cuts");
}
