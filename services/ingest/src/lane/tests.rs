//! What one append takes of what waits: in order, within the bounds of the log.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::*;

fn pending(seq: u64, bytes: usize) -> Pending {
    let room = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("room");
    Pending { handle: 1, first: seq, last: seq, what: What::Items, record: vec![0; bytes].into(), _permit: room }
}

fn lane(sizes: &[usize]) -> Lane {
    let mut lane = Lane::new(Partition(0));
    for (seq, bytes) in (1..).zip(sizes) {
        lane.push(pending(seq, *bytes));
    }
    lane
}

fn seqs(lane: &mut Lane) -> Option<Vec<u64>> {
    Some(lane.next_append()?.iter().map(|pending| pending.first).collect())
}

#[test]
fn one_append_at_a_time_takes_all_that_waits() {
    let mut lane = lane(&[10, 10]);
    assert_eq!(seqs(&mut lane), Some(vec![1, 2]));
    lane.push(pending(3, 10));
    assert_eq!(seqs(&mut lane), None, "one is on its way");
    assert!(!lane.is_idle());
    lane.append_ended();
    assert_eq!(seqs(&mut lane), Some(vec![3]));
    lane.append_ended();
    assert!(lane.is_idle());
}

#[test]
fn what_is_appended_again_goes_first() {
    let mut lane = lane(&[10, 10, 10]);
    let again = lane.next_append().expect("all that waits");
    lane.push(pending(4, 10));
    lane.append_ended();
    lane.push_again(again);
    assert_eq!(seqs(&mut lane), Some(vec![1, 2, 3, 4]));
}

#[test]
fn an_append_keeps_the_bounds_of_the_log() {
    let mut many = lane(&vec![1; APPEND_RECORDS_MAX + 1]);
    assert_eq!(seqs(&mut many).map(|seqs| seqs.len()), Some(APPEND_RECORDS_MAX));
    let mut large = lane(&[APPEND_BYTES_MAX / 2, APPEND_BYTES_MAX / 2, 1]);
    assert_eq!(seqs(&mut large), Some(vec![1, 2]));
}
