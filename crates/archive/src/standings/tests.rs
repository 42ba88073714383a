//! What repeats is known, across being kept; what is not certain never is.

use corral_domain::{EventId, OrganizationId, Pushed, StreamKey, Take, TraceContext, WriterRange};

use super::*;

fn record(run: u32, writer: u8, first: u64, last: u64) -> Envelope {
    Envelope {
        stream: StreamKey::run(OrganizationId::from_bytes([1; 16]), &format!("r{run}").parse().unwrap()),
        event_id: EventId::from_bytes([0; 16]),
        kind: EventType::RunItems,
        schema_version: 1,
        min_reader_version: 1,
        codec: 0,
        actor: "owner".parse().unwrap(),
        client_time_us: 0,
        writer: Some(WriterRange { writer: WriterId::from_bytes([writer; 16]), epoch: 1, first, last }),
        command_id: None,
        take: Take(1),
        trace: TraceContext::default(),
        sealed_with: String::new(),
        payload: Bytes::new(),
        pushed: None,
    }
}

fn check(standings: &mut Standings, records: &[(u32, u8, u64, u64, bool)]) {
    for (at, (run, writer, first, last, repeats)) in records.iter().enumerate() {
        assert_eq!(standings.repeats(&record(*run, *writer, *first, *last)), *repeats, "record {at}");
    }
}

#[test]
fn only_what_repeats_as_a_whole_repeats() {
    let mut standings = Standings::default();
    check(
        &mut standings,
        &[
            (1, 1, 1, 5, false),
            (1, 1, 1, 5, true),
            (1, 1, 2, 3, true),
            (1, 1, 4, 6, false),
            // Ahead of what was applied: it was not acknowledged, and what it is worth is for the stage to say.
            (1, 1, 9, 9, false),
            (1, 1, 6, 6, true),
            (1, 2, 1, 5, false),
            (2, 1, 1, 5, false),
        ],
    );
    let other = |envelope: Envelope| Envelope { writer: record(1, 1, 1, 5).writer, ..envelope };
    for unclear in [
        Envelope { actor: "other".parse().unwrap(), ..record(1, 1, 1, 5) },
        Envelope { min_reader_version: READER_VERSION + 1, ..record(1, 1, 1, 5) },
        Envelope { codec: 1, ..record(1, 1, 1, 5) },
        Envelope { sealed_with: "k".to_owned(), ..record(1, 1, 1, 5) },
        other(Envelope { kind: EventType::RunHeartbeat, ..record(1, 1, 1, 5) }),
        other(Envelope { stream: StreamKey::organization(OrganizationId::from_bytes([1; 16])), ..record(1, 1, 1, 5) }),
    ] {
        assert!(!standings.repeats(&unclear), "{unclear:?}");
    }
}

#[test]
fn what_is_kept_is_known_again() {
    let mut standings = Standings::default();
    check(&mut standings, &[(1, 1, 1, 5, false), (1, 2, 1, 2, false), (2, 1, 1, 1, false)]);
    // A writer that jumped over a hole of the log it was pushed from: nothing of it counts as repeated any more.
    let pushed = Pushed {
        log_id: corral_domain::LogId::from_bytes([2; 16]),
        log_epoch: corral_domain::LogEpoch(1),
        partition: corral_domain::Partition(0),
        offset: Offset(9),
        append_time: corral_domain::Micros(0),
        after_hole: true,
    };
    standings.repeats(&Envelope { pushed: Some(pushed), ..record(3, 1, 7, 9) });
    let kept = standings.encode(4, Offset(77));
    let (mut again, entries, through) = Standings::decode(&kept).unwrap();
    assert_eq!((entries, through), (4, Offset(77)));
    assert_eq!(again.encode(4, Offset(77)), kept);
    check(
        &mut again,
        &[(1, 1, 2, 5, true), (1, 1, 6, 6, false), (1, 2, 1, 2, true), (2, 1, 1, 1, true), (3, 1, 8, 9, false)],
    );
    for at in 0..kept.len() {
        let mut damaged = kept.to_vec();
        damaged[at] ^= 2;
        assert!(Standings::decode(&damaged).is_none() && Standings::decode(&kept[..at]).is_none(), "byte {at}");
    }
}

#[test]
fn writers_beyond_the_bound_are_forgotten_and_their_repeats_kept() {
    let mut standings = Standings::default();
    let count = ARCHIVE_WRITERS_COUNT_MAX as u32 + 1;
    for run in 0..count {
        assert!(!standings.repeats(&record(run, 1, 1, 2)));
    }
    assert!(standings.writers <= ARCHIVE_WRITERS_COUNT_MAX);
    assert!((standings.encode(1, Offset(1)).len() as u64) < BYTES_MAX);
    check(&mut standings, &[(count - 1, 1, 1, 2, true), (0, 1, 1, 2, false), (0, 1, 1, 2, true)]);
}
