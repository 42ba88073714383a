//! The bytes are fixed: what an older client left behind must be read for ever.

use super::*;

fn header() -> Header {
    Header {
        salt: 7,
        id: [9; 16],
        capacity: 1 << 20,
        pid: 42,
        host: "mesa".into(),
        boot_id: "b".into(),
        owner: Owner { url: "http://127.0.0.1:4870".into(), organization: "o".into(), actor: "ada".into() },
    }
}

#[test]
fn a_header_comes_back_and_every_flipped_byte_is_noticed() {
    let page = header().encode().expect("short texts");
    assert_eq!(Header::decode(&page).expect("undamaged"), header());
    let used = 16 + le_u32(&page, 12) as usize;
    for at in 0..used {
        let mut damaged = page;
        damaged[at] ^= 0x40;
        assert!(Header::decode(&damaged).is_err(), "byte {at}");
    }
}

#[test]
fn the_bytes_of_an_item_never_change() {
    let item = ItemHeader { length: 3, seq: 5, lap: 2, writer: 1, kind: 1 };
    let mut bytes = [0; 32];
    bytes[28..31].copy_from_slice(b"abc");
    item.seal(7, &mut bytes);
    assert_eq!(ItemHeader::parse(7, Some(2), &bytes), Some(item));
    assert_eq!(ItemHeader::parse(7, Some(3), &bytes), None, "another lap");
    assert_eq!(ItemHeader::parse(8, Some(2), &bytes), None, "another salt");
    assert_eq!(bytes[4..28], [3, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(bytes[..4], GOLDEN);
}
/// Written down when the layout was chosen.
const GOLDEN: [u8; 4] = [233, 25, 130, 90];

#[test]
fn a_text_that_is_too_long_is_refused() {
    let mut header = header();
    header.host = "h".repeat(601);
    assert!(header.encode().is_err());
}
