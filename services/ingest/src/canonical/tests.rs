//! Every NaN becomes the one NaN; everything else keeps its bits.

use bytes::Bytes;
use corral_domain::{Column, ColumnType, RunEntry, StepGroup};

use super::*;

fn points(kind: ColumnType, values: Vec<u8>) -> RunEntry {
    let rows = (values.len() / kind.width()) as u32;
    let zeros = Bytes::from(vec![0; rows as usize * 8]);
    let columns = vec![Column { metric: 0, kind, values: values.into() }];
    RunEntry::Points(StepGroup { rows, steps: zeros.clone(), times: zeros, columns })
}

/// The bits after the door, and whether it changed anything.
fn f64_bits(bits: &[u64]) -> (Vec<u64>, bool) {
    let mut entries = [points(ColumnType::F64, bits.iter().flat_map(|bits| bits.to_le_bytes()).collect())];
    let changed = make_canonical(&mut entries);
    let RunEntry::Points(group) = &entries[0] else { panic!("points stay points") };
    ((0..bits.len()).map(|row| group.columns[0].value(row).to_bits()).collect(), changed)
}

#[test]
fn every_nan_of_a_double_becomes_the_canonical_one() {
    let other = [0x7ff8_0000_0000_0001, 0xfff8_0000_0000_0000, 0x7ff0_0000_0000_0001, u64::MAX, 0x7fff_ffff_ffff_ffff];
    for bits in other {
        assert!(f64::from_bits(bits).is_nan());
        assert_eq!(f64_bits(&[1, bits, F64]), (vec![1, F64, F64], true), "{bits:x}");
    }
    let kept = [f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0, f64::MIN_POSITIVE / 2.0, f64::MAX].map(f64::to_bits);
    assert_eq!(f64_bits(&kept), (kept.to_vec(), false));
    assert_eq!(f64_bits(&[F64; 3]), (vec![F64; 3], false), "canonical already");
}

#[test]
fn every_nan_of_a_float_becomes_the_canonical_one() {
    let bits = [0x7fc0_0001_u32, 0xffc0_0000, 0x7f80_0001, 0x7f80_0000, 0xff80_0000, 0x8000_0000, F32];
    let mut entries = [points(ColumnType::F32, bits.iter().flat_map(|bits| bits.to_le_bytes()).collect())];
    assert!(make_canonical(&mut entries));
    let expect = [F32, F32, F32, 0x7f80_0000, 0xff80_0000, 0x8000_0000, F32];
    assert_eq!(entries[0], points(ColumnType::F32, expect.iter().flat_map(|bits| bits.to_le_bytes()).collect()));
}

#[test]
fn integers_that_look_like_a_nan_stay() {
    for kind in [ColumnType::I64, ColumnType::U64] {
        let mut entries = [points(kind, u64::MAX.to_le_bytes().to_vec())];
        assert!(!make_canonical(&mut entries), "{kind:?}");
    }
}
