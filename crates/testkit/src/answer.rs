//! Reading answers: packed columns as values, and what an error says.

use corral_domain::{ColumnType, Value};
use corral_wire::error::ERROR_TRAILER;
use corral_wire::proto;
use prost_reflect::prost::Message as _;
use tonic::Status;

/// A packed column of 64-bit words.
pub fn words<T>(bytes: &[u8], word: fn([u8; 8]) -> T) -> Vec<T> {
    bytes.as_chunks::<8>().0.iter().map(|bytes| word(*bytes)).collect()
}

pub fn ints(bytes: &[u8]) -> Vec<i64> {
    words(bytes, i64::from_le_bytes)
}

pub fn floats(bytes: &[u8]) -> Vec<f64> {
    words(bytes, f64::from_le_bytes)
}

pub fn counts(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
}

/// The values of raw points, each in the type that it was logged in.
pub fn values(raw: &proto::RawColumns) -> Vec<Value> {
    let of_column = |column: &proto::TypedColumn| {
        let kind = kind(column.r#type);
        let bytes = column.values.clone();
        (0..column.rows as usize).map(move |row| {
            let mut bits = [0; 8];
            bits[..kind.width()].copy_from_slice(&bytes[row * kind.width()..(row + 1) * kind.width()]);
            Value::from_bits(kind, u64::from_le_bytes(bits))
        })
    };
    raw.values.iter().flat_map(of_column).collect()
}

fn kind(number: i32) -> ColumnType {
    match proto::ColumnType::try_from(number) {
        Ok(proto::ColumnType::F64) => ColumnType::F64,
        Ok(proto::ColumnType::F32) => ColumnType::F32,
        Ok(proto::ColumnType::I64) => ColumnType::I64,
        Ok(proto::ColumnType::U64) => ColumnType::U64,
        Ok(proto::ColumnType::Bool) => ColumnType::Bool,
        _ => panic!("column type {number}"),
    }
}

pub fn value(value: &proto::TypedValue) -> Value {
    use proto::typed_value::Kind;
    match value.kind {
        Some(Kind::F64(value)) => Value::F64(value),
        Some(Kind::F32(value)) => Value::F32(value),
        Some(Kind::I64(value)) => Value::I64(value),
        Some(Kind::U64(value)) => Value::U64(value),
        Some(Kind::Bool(value)) => Value::Bool(value),
        ref other => panic!("{other:?} is not a number"),
    }
}

pub fn raw(series: &proto::Series) -> &proto::RawColumns {
    match &series.columns {
        Some(proto::series::Columns::Raw(raw)) => raw,
        other => panic!("{other:?} are not raw points"),
    }
}

pub fn buckets(series: &proto::Series) -> &proto::BucketColumns {
    match &series.columns {
        Some(proto::series::Columns::Buckets(buckets)) => buckets,
        other => panic!("{other:?} are not buckets"),
    }
}

/// (steps, values) of raw points.
pub fn points(series: &proto::Series) -> Vec<(i64, Value)> {
    ints(&raw(series).steps).into_iter().zip(values(raw(series))).collect()
}

/// A run's figure of a summary key.
pub fn figure(run: &proto::Run, key: &str) -> Option<proto::TypedValue> {
    run.summary.iter().find(|figure| figure.key == key).and_then(|figure| figure.value.clone())
}

pub fn config(run: &proto::Run, path: &[&str]) -> Option<String> {
    run.config.iter().find(|figure| figure.path == path).map(|figure| figure.json.clone())
}

/// What a status says to branch on; empty where it came without details.
pub fn error(status: &Status) -> proto::ErrorInfo {
    let bytes = status.metadata().get_bin(ERROR_TRAILER).and_then(|value| value.to_bytes().ok());
    bytes.and_then(|bytes| proto::ErrorInfo::decode(bytes).ok()).unwrap_or_default()
}
