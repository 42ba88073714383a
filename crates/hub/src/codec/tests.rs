//! Golden bytes, and bytes that are none of ours.

use super::*;

fn messages() -> Vec<Message> {
    let stream =
        |kind, id: &str| StreamKey { organization: OrganizationId::from_bytes([7; 16]), kind, id: id.to_owned() };
    vec![
        Nudge { stream: stream(StreamKind::Run, "mesa-é"), partition: Partition(258), applied_through: Offset(3) }
            .into(),
        Nudge {
            stream: stream(StreamKind::Organization, ""),
            partition: Partition(0),
            applied_through: Offset(1 << 40),
        }
        .into(),
        Message::Checkpointed { partition: Partition(258), offset: Offset(u64::MAX) },
    ]
}

/// Written down when the layout was chosen.
const GOLDEN: &str = "01\
    01 0201 0300000000000000 07070707070707070707070707070707 03 0700 6d6573612dc3a9\
    01 0000 0000000000010000 07070707070707070707070707070707 01 0000\
    02 0201 ffffffffffffffff";

fn golden() -> Vec<u8> {
    let digits: Vec<u8> = GOLDEN.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("a byte");
    digits.chunks(2).map(byte).collect()
}

#[test]
fn a_batch_has_these_bytes() {
    assert_eq!(encode(&messages()), golden());
    assert_eq!(decode(&golden()), Some(messages()));
    assert_eq!(decode(&encode(&[])), Some(Vec::new()));
}

#[test]
fn what_is_cut_short_or_from_another_version_is_refused() {
    let whole = golden();
    let starts: Vec<usize> = (0..whole.len()).filter(|end| decode(&whole[..*end]).is_some()).collect();
    // Only where a message ends.
    assert_eq!(starts, [1, 1 + 37, 1 + 37 + 30]);
    for version in [0, 2, 255] {
        assert_eq!(decode(&[&[version], &whole[1..]].concat()), None);
    }
    for bytes in [&b""[..], b"\x01\x03", b"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", b"garbage"] {
        assert_eq!(decode(bytes), None, "{bytes:?}");
    }
}

#[test]
fn any_bytes_are_read_or_refused() {
    // Each byte of a good batch, changed in every way: never a panic, and what is read is written again the same.
    let whole = golden();
    let mut read = 0;
    for at in 0..whole.len() {
        for byte in 0..=255 {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            if let Some(messages) = decode(&bytes) {
                assert_eq!(encode(&messages), bytes);
                read += 1;
            }
        }
    }
    assert!(read > 1_000, "{read}");
}
