//! What is laid out comes back; what is cut, longer or of another version is refused by name, without a panic and
//! without memory that a length merely claims.
#![allow(unreachable_pub, reason = "the macros declare rows for whole crates")]

use super::*;

crate::part! {
    pub struct Inner {
        number: i64,
        name: String,
    }
}
crate::row! {
    pub struct Everything = 3 {
        small: u8,
        half: u16,
        word: u32,
        long: u64,
        signed: i32,
        float: f64,
        flag: bool,
        bytes: Bytes,
        text: String,
        absent: Option<u64>,
        present: Option<String>,
        list: Vec<Inner>,
        pairs: Vec<(u64, u64)>,
        triple: (u8, Bytes, bool),
        map: BTreeMap<String, u32>,
        offset: Offset,
        time: Micros,
        epoch: LogEpoch,
        take: Take,
        command: CommandId,
        organization: OrganizationId,
        project: Option<ProjectId>,
        writer: WriterId,
    }
}

fn everything() -> Everything {
    let inner = |number| Inner { number, name: format!("n{number}") };
    Everything {
        small: u8::MAX,
        half: 0x0102,
        word: 7,
        long: u64::MAX,
        signed: i32::MIN,
        float: -0.0,
        flag: true,
        bytes: Bytes::from_static(&[0, 0xff, 1]),
        text: "gr\u{fc}n\0".to_owned(),
        absent: None,
        present: Some(String::new()),
        list: vec![inner(i64::MIN), inner(1)],
        pairs: vec![(1, 2), (3, u64::MAX)],
        triple: (1, Bytes::new(), false),
        map: [("a".to_owned(), 1), ("b".to_owned(), 2)].into(),
        offset: Offset(9),
        time: Micros(-1),
        epoch: LogEpoch(4),
        take: Take(2),
        command: CommandId::from_bytes([1; 16]),
        organization: OrganizationId::from_bytes([2; 16]),
        project: Some(ProjectId::from_bytes([3; 16])),
        writer: WriterId::from_bytes([4; 16]),
    }
}

#[test]
fn every_kind_of_field_comes_back() {
    let row = everything();
    let bytes = row.encode();
    assert_eq!(bytes[0], 3);
    let read = Everything::decode(&bytes).unwrap();
    assert_eq!(read, row);
    assert_eq!(read.float.to_bits(), row.float.to_bits(), "-0.0 is not 0.0");
    assert_eq!(Everything::decode(&Everything::default().encode()), Ok(Everything::default()));
}

#[test]
fn nan_and_infinities_keep_their_bits() {
    for bits in [f64::NAN.to_bits(), f64::NAN.to_bits() | 1, f64::INFINITY.to_bits(), f64::NEG_INFINITY.to_bits(), 1] {
        let row = Everything { float: f64::from_bits(bits), ..Everything::default() };
        assert_eq!(Everything::decode(&row.encode()).unwrap().float.to_bits(), bits);
    }
}

#[test]
fn a_cut_or_longer_value_is_refused() {
    let bytes = everything().encode();
    for cut in 0..bytes.len() {
        let error = Everything::decode(&bytes.slice(..cut)).unwrap_err();
        assert_eq!(error.row, "Everything", "cut at {cut}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(Everything::decode(&longer.into()).unwrap_err().to_string(), "Everything: has bytes behind its end");
}

#[test]
fn another_version_is_refused() {
    let mut bytes = everything().encode().to_vec();
    for version in [0, 2, 4, 0xff] {
        bytes[0] = version;
        let error = Everything::decode(&bytes.clone().into()).unwrap_err();
        assert_eq!(error.reason, "has a version that this build does not read");
    }
}

/// Any byte changed: another value or an error, never a panic.
#[test]
fn flipped_bytes_do_not_panic() {
    // -0.0 and 0.0 are equal to `PartialEq`.
    let row = Everything { float: 1.5, ..everything() };
    let bytes = row.encode();
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut changed = bytes.to_vec();
            changed[at] ^= flip;
            assert_ne!(Everything::decode(&changed.into()).as_ref(), Ok(&row), "byte {at} does not count");
        }
    }
}

#[test]
fn a_length_that_is_only_claimed_costs_nothing() {
    let claim = Bytes::copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Vec::<Inner>::take(&mut claim.clone()), Err("ends too early"));
    assert_eq!(Bytes::take(&mut claim.clone()), Err("ends too early"));
    assert_eq!(String::take(&mut claim.clone()), Err("ends too early"));
    assert_eq!(BTreeMap::<u64, u64>::take(&mut claim.clone()), Err("ends too early"));
    assert_eq!(bool::take(&mut Bytes::from_static(&[2])), Err("has a boolean that is neither 0 nor 1"));
    assert_eq!(
        <Option<u8> as Field>::take(&mut Bytes::from_static(&[9, 1])),
        Err("has a boolean that is neither 0 nor 1")
    );
    assert_eq!(String::take(&mut Bytes::from_static(&[1, 0, 0, 0, 0xff])), Err("has a text that is not UTF-8"));
}

#[test]
fn keys_sort_as_their_numbers_do() {
    let key = |level: u8, number: u32, long: u64| KeyBytes::new().u8(level).u32(number).u64(long).build();
    let numbers =
        [(0, 0, 1), (0, 1, 0), (0, 255, 9), (0, 256, 0), (0, u32::MAX, 0), (1, 0, 0), (1, 0, 256), (1, 0, u64::MAX)];
    let keys = numbers.map(|(level, number, long)| key(level, number, long));
    assert!(keys.is_sorted(), "{keys:?}");
    // A text that is not last has its length first: no text runs into what follows.
    let pair = |a: &str, b: &str| KeyBytes::new().text(a).text(b).build();
    assert_ne!(pair("ab", "c"), pair("a", "bc"));
}
