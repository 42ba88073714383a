//! What may be acknowledged: never what the deduplication stage would skip.

use super::*;

fn at(offset: u64) -> Append {
    Append { partition: Partition(0), offset: Offset(offset) }
}

/// "A 1-5 @0, C 10-12 @1, B 6-9 @2": B's first produce failed and was made again. The stage applies 9 and skips C, so 12
/// must not be acknowledged before C was appended again.
#[test]
fn acknowledging() {
    let mut acks = Acks::new(0);
    assert_eq!(acks.landed(1, 5, at(0)), Landed::Ack(5));
    assert_eq!(acks.landed(6, 9, at(2)), Landed::Ack(9));
    assert_eq!(acks.landed(10, 12, at(1)), Landed::Again, "durable and contiguous, and yet skipped");
    assert_eq!(acks.landed(10, 12, at(3)), Landed::Ack(12));
    // The same, told in the order of the log.
    let mut acks = Acks::new(0);
    assert_eq!(acks.landed(1, 5, at(0)), Landed::Ack(5));
    assert_eq!(acks.landed(10, 12, at(1)), Landed::Again);
    assert_eq!(acks.landed(6, 9, at(2)), Landed::Ack(9));
    assert_eq!(acks.landed(10, 12, at(3)), Landed::Ack(12));
}

#[test]
fn what_is_sent_again_is_acknowledged_as_far_as_ever() {
    let mut acks = Acks::new(7);
    assert_eq!(acks.landed(3, 5, at(4)), Landed::Ack(7));
    assert_eq!(acks.landed(6, 9, at(5)), Landed::Ack(9));
    assert_eq!(acks.landed(1, 2, at(6)), Landed::Ack(9));
    assert_eq!(acks.acked(), 9);
}

/// The deduplication stage, as plainly as can be: the high-water mark after a log of ranges.
fn applied(log: &[(u64, u64)]) -> u64 {
    log.iter().fold(0, |hw, &(first, last)| if first <= hw + 1 { hw.max(last) } else { hw })
}

/// Batches land in any order and are appended again when told so: nothing is acknowledged that the stage has not applied,
/// and in the end everything is.
#[test]
fn at_every_moment_what_is_acknowledged_is_applied() {
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: usize| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        (word % bound as u64) as usize
    };
    let mut appended_again = 0;
    for _ in 0..2_000 {
        let mut batches = vec![(1, 1 + below(4) as u64)];
        while batches.len() < 8 {
            let last = batches[batches.len() - 1].1;
            // Some are sent again, with other bounds.
            let first = last + 1 - (below(4) == 0) as u64 * below(last as usize) as u64;
            batches.push((first, last + 1 + below(4) as u64));
        }
        let (mut log, mut acks) = (Vec::new(), Acks::new(0));
        while !batches.is_empty() {
            // A group is on its way; it lands shuffled, and the answers are looked at in the order of the seq.
            let group: Vec<_> = batches.drain(..(1 + below(3)).min(batches.len())).collect();
            let mut order: Vec<usize> = (0..group.len()).collect();
            if below(2) == 0 {
                order.reverse();
            }
            let mut offsets = vec![0; group.len()];
            for at in order {
                offsets[at] = log.len() as u64;
                log.push(group[at]);
            }
            let mut again = Vec::new();
            for ((first, last), offset) in group.into_iter().zip(offsets) {
                match acks.landed(first, last, at(offset)) {
                    Landed::Ack(seq) => assert!(seq <= applied(&log), "{seq} of {log:?}"),
                    Landed::Again => again.push((first, last)),
                }
            }
            appended_again += again.len();
            batches.splice(0..0, again);
        }
        assert_eq!(acks.acked(), applied(&log));
        assert_eq!(Some(acks.acked()), log.iter().map(|(_, last)| *last).max());
    }
    assert!(appended_again > 1_000, "{appended_again} were appended again");
}
