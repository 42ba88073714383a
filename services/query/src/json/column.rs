//! Packed little-endian columns as JSON arrays.

use std::fmt::Write as _;

use bytes::Bytes;
use corral_wire::{ApiError, proto};

type Word<const N: usize> = fn(&mut String, [u8; N]);

pub(super) fn raw(out: &mut String, raw: &proto::RawColumns) -> Result<(), ApiError> {
    out.push_str("{\"steps\":");
    array(out, &raw.steps, long)?;
    out.push_str(",\"timesUs\":");
    array(out, &raw.times_us, long)?;
    out.push_str(",\"appendedUs\":");
    array(out, &raw.appended_us, long)?;
    out.push_str(",\"values\":[");
    for (at, column) in raw.values.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        typed(out, column)?;
    }
    out.push(']');
    if !raw.x.is_empty() {
        out.push_str(",\"x\":");
        array(out, &raw.x, double)?;
    }
    out.push('}');
    Ok(())
}

fn typed(out: &mut String, column: &proto::TypedColumn) -> Result<(), ApiError> {
    let kind = proto::ColumnType::try_from(column.r#type).map_err(|_| ApiError::internal())?;
    // Writing to a text cannot fail.
    let _ = write!(out, "{{\"type\":\"{}\",\"rows\":{},\"values\":", kind.as_str_name(), column.rows);
    match kind {
        proto::ColumnType::F64 => array(out, &column.values, double)?,
        proto::ColumnType::F32 => array(out, &column.values, |out, word| float(out, f32::from_le_bytes(word)))?,
        proto::ColumnType::I64 => array(out, &column.values, long)?,
        proto::ColumnType::U64 => array(out, &column.values, |out, word| quoted(out, u64::from_le_bytes(word)))?,
        proto::ColumnType::Bool => array(out, &column.values, |out, [byte]| plain(out, byte != 0))?,
        proto::ColumnType::Unspecified => return Err(ApiError::internal()),
    }
    out.push('}');
    Ok(())
}

pub(super) fn buckets(out: &mut String, buckets: &proto::BucketColumns) -> Result<(), ApiError> {
    out.push_str("{\"width\":");
    quoted(out, buckets.width);
    out.push_str(",\"index\":");
    array(out, &buckets.index, long)?;
    out.push_str(",\"count\":");
    array(out, &buckets.count, int)?;
    let doubles: [(&str, &Bytes); 4] =
        [("min", &buckets.min), ("max", &buckets.max), ("mean", &buckets.mean), ("last", &buckets.last)];
    for (name, column) in doubles {
        let _ = write!(out, ",\"{name}\":");
        array(out, column, double)?;
    }
    out.push_str(",\"nanCount\":");
    array(out, &buckets.nan_count, int)?;
    out.push_str(",\"firstNonFinite\":");
    array(out, &buckets.first_non_finite, double)?;
    if buckets.x_width != 0.0 {
        out.push_str(",\"xWidth\":");
        double(out, buckets.x_width.to_le_bytes());
        out.push_str(",\"x\":");
        array(out, &buckets.x, double)?;
    }
    out.push('}');
    Ok(())
}

fn array<const N: usize>(out: &mut String, column: &Bytes, word: Word<N>) -> Result<(), ApiError> {
    let (words, rest) = column.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(super::ours(format!("a column of {} bytes has words of {N}", column.len())));
    }
    out.push('[');
    for (at, bytes) in words.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        word(out, *bytes);
    }
    out.push(']');
    Ok(())
}

fn long(out: &mut String, word: [u8; 8]) {
    quoted(out, i64::from_le_bytes(word));
}

fn int(out: &mut String, word: [u8; 4]) {
    plain(out, u32::from_le_bytes(word));
}

/// The shortest decimal that is this very number; `-0.0` keeps its sign.
fn double(out: &mut String, word: [u8; 8]) {
    let value = f64::from_le_bytes(word);
    if !not_finite(out, value) {
        let _ = write!(out, "{value:?}");
    }
}

fn float(out: &mut String, value: f32) {
    if !not_finite(out, f64::from(value)) {
        let _ = write!(out, "{value:?}");
    }
}

fn not_finite(out: &mut String, value: f64) -> bool {
    let text = match value {
        value if value.is_nan() => "\"NaN\"",
        f64::INFINITY => "\"Infinity\"",
        f64::NEG_INFINITY => "\"-Infinity\"",
        _ => return false,
    };
    out.push_str(text);
    true
}

fn quoted(out: &mut String, value: impl std::fmt::Display) {
    let _ = write!(out, "\"{value}\"");
}

fn plain(out: &mut String, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}
