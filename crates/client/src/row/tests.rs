//! Every type and extreme comes back.

use super::*;

#[test]
fn a_row_comes_back_with_its_bits() {
    let values = [
        (0, Value::F64(-0.0)),
        (15, Value::F32(f32::NEG_INFINITY)),
        (16, Value::I64(i64::MIN)),
        (2_047, Value::U64(u64::MAX)),
        (99_999, Value::Bool(true)),
        (7, Value::F64(f64::NAN)),
    ];
    let mut row = Row::default();
    for (metric, value) in values {
        row.push(metric, value);
    }
    let mut bytes = vec![0; row.encoded_len()];
    row.encode(Step::Auto(-5), i64::MAX, &mut bytes);
    let read = RowRef::decode(&bytes).expect("a row");
    assert_eq!((read.step, read.time_us), (Step::Auto(-5), i64::MAX));
    let columns = columns_of(read.heads, read.values.len()).expect("columns");
    let mut at = 0;
    for ((metric, kind), (expected, value)) in columns.into_iter().zip(values) {
        let mut word = [0; 8];
        word[..kind.width()].copy_from_slice(&read.values[at..at + kind.width()]);
        at += kind.width();
        assert_eq!((metric, Value::from_bits(kind, u64::from_le_bytes(word))), (expected, value));
    }
    assert_eq!(at, read.values.len());
}

#[test]
fn what_is_no_row_is_refused() {
    let mut row = Row::default();
    row.push(300, Value::F64(1.0));
    let mut bytes = vec![0; row.encoded_len()];
    row.encode(Step::At(1), 2, &mut bytes);
    for length in 0..bytes.len() {
        let whole = RowRef::decode(&bytes[..length]).and_then(|row| columns_of(row.heads, row.values.len()));
        assert!(whole.is_none(), "{length} of {} bytes", bytes.len());
    }
    assert!(columns_of(&[0x80; 9], 8).is_none());
    assert!(columns_of(&[0x07], 8).is_none(), "an unknown type");
}

#[test]
fn the_widest_row_stays_below_every_limit() {
    let mut row = Row::default();
    for metric in 0..ROW_COLUMNS_MAX as u32 {
        row.push(90_000 - metric, Value::F64(1.0));
    }
    assert!(row.encoded_len() <= corral_spool::ITEM_PAYLOAD_BYTES_MAX);
    let door = 16 + ROW_COLUMNS_MAX * (8 + 4);
    assert!(door <= corral_domain::limits::ITEM_BYTES_MAX);
}
