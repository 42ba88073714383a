//! The worked example of `EVENTS.md` 11, as it is told to people.

use bytes::Bytes;
use corral_domain::{EventId, EventType, OrganizationId, StreamKey, Take, TraceContext, WriterRange};

use super::*;

fn record(writer: u8, first: u64, last: u64) -> Envelope {
    Envelope {
        stream: StreamKey::run(OrganizationId::from_bytes([1; 16]), &"r".parse().unwrap()),
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
        pushed: None,
        sealed_with: String::new(),
        payload: Bytes::new(),
    }
}

#[test]
fn what_is_said_is_what_is_applied() {
    let mut stage = Deduplication::default();
    for (at, (writer, first, last, expect)) in [
        (1, 1, 5, Said::Applies(vec![(1, 5)])),
        (2, 1, 3, Said::Applies(vec![(1, 3)])),
        (1, 4, 9, Said::Applies(vec![(6, 9)])),
        (2, 7, 9, Said::Skipped { hw: 3 }),
        (2, 4, 6, Said::Applies(vec![(4, 6)])),
        (2, 7, 9, Said::Applies(vec![(7, 9)])),
        (1, 10, 12, Said::Applies(vec![(10, 12)])),
        (1, 10, 12, Said::Skipped { hw: 12 }),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(stage.say(&record(writer, first, last), false, false), expect, "record {at}");
    }
    let beat = Envelope { writer: None, ..record(1, 1, 1) };
    assert_eq!(stage.say(&beat, false, false), Said::NoItems);
}

#[test]
fn behind_a_hole_a_writer_jumps_and_what_was_refused_may_come_again() {
    let mut stage = Deduplication::default();
    assert_eq!(stage.say(&record(1, 4, 6), true, true), Said::Applies(vec![(4, 6)]));
    assert_eq!(stage.say(&record(1, 1, 6), true, false), Said::Applies(vec![(1, 6)]));
}
