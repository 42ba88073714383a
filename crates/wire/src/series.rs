//! Series: columns as packed little-endian bytes.

use bytes::Bytes;
use corral_domain::{ColumnType, Take, Value};
use corral_query::{BucketColumns, Columns, HistoryAnswer, HistoryQuery, Series, XAxis};
use corral_read_store::piece::{Points, Values};

use crate::error::ApiError;
use crate::freshness::{freshness_from_proto, meta_to_proto};
use crate::proto;
use crate::run::run_id;

pub fn history_from_proto(request: proto::GetHistoryRequest) -> Result<HistoryQuery, ApiError> {
    let axis = match proto::XAxis::try_from(request.x_axis) {
        Ok(proto::XAxis::Unspecified) => XAxis::Step,
        Ok(proto::XAxis::Time) => XAxis::Time,
        Ok(proto::XAxis::RelativeTime) => XAxis::RelativeTime,
        Ok(proto::XAxis::Metric) => XAxis::Metric,
        Ok(proto::XAxis::Defined) => XAxis::Defined,
        Err(_) => return Err(ApiError::invalid("x_axis", format!("{} is not known", request.x_axis))),
    };
    Ok(HistoryQuery {
        freshness: freshness_from_proto(request.freshness)?,
        runs: request.run_ids.iter().map(|id| run_id("run_ids", id)).collect::<Result<_, _>>()?,
        metrics: request.metrics,
        buckets: request.buckets,
        axis,
        x_min: request.x_min,
        x_max: request.x_max,
        x_metric: request.x_metric,
        x_value_min: request.x_value_min,
        x_value_max: request.x_value_max,
        take: request.take.map(Take),
        label: request.label,
        points_max: request.points_max,
        page_token: request.page_token,
    })
}

pub fn history_to_proto(answer: HistoryAnswer) -> proto::GetHistoryResponse {
    proto::GetHistoryResponse {
        series: answer.series.into_iter().map(series_to_proto).collect(),
        next_page_token: answer.next_page_token,
        meta: Some(meta_to_proto(&answer.meta)),
    }
}

fn series_to_proto(series: Series) -> proto::Series {
    use proto::series::Columns as To;
    let rows = u32::try_from(series.columns.rows()).unwrap_or(u32::MAX);
    let columns = match series.columns {
        Columns::Raw(points) => To::Raw(raw_to_proto(&points, &series.x)),
        Columns::Buckets(buckets) => To::Buckets(buckets_to_proto(&buckets)),
    };
    let (reference, without_x) = (series.reference, series.without_x);
    let delta = proto::Series { r#ref: reference, rows, without_x, columns: Some(columns), ..proto::Series::default() };
    if series.known {
        return delta;
    }
    proto::Series {
        run_id: series.run.to_string(),
        metric: series.metric,
        label: series.label,
        take: series.take.0,
        x_metric: series.x_metric,
        ..delta
    }
}

fn buckets_to_proto(buckets: &BucketColumns) -> proto::BucketColumns {
    proto::BucketColumns {
        width: buckets.width,
        index: pack(&buckets.index, |v| v.to_le_bytes()),
        count: pack(&buckets.count, |v| v.to_le_bytes()),
        min: pack(&buckets.min, |v| v.to_le_bytes()),
        max: pack(&buckets.max, |v| v.to_le_bytes()),
        mean: pack(&buckets.mean, |v| v.to_le_bytes()),
        last: pack(&buckets.last, |v| v.to_le_bytes()),
        nan_count: pack(&buckets.nan_count, |v| v.to_le_bytes()),
        first_non_finite: pack(&buckets.first_non_finite, |v| v.to_le_bytes()),
        x_width: buckets.x_width,
        x: pack(&buckets.x, |v| v.to_le_bytes()),
    }
}

fn raw_to_proto(points: &Points, x: &[f64]) -> proto::RawColumns {
    proto::RawColumns {
        steps: pack(&points.steps, |v| v.to_le_bytes()),
        times_us: pack(&points.times_us, |v| v.to_le_bytes()),
        appended_us: pack(&points.appended_us, |v| v.to_le_bytes()),
        values: values_to_proto(&points.values),
        x: pack(x, |v| v.to_le_bytes()),
    }
}

fn values_to_proto(values: &Values) -> Vec<proto::TypedColumn> {
    match values {
        Values::F64(column) => typed(ColumnType::F64, column, |v| v.to_le_bytes()),
        Values::F32(column) => typed(ColumnType::F32, column, |v| v.to_le_bytes()),
        Values::I64(column) => typed(ColumnType::I64, column, |v| v.to_le_bytes()),
        Values::U64(column) => typed(ColumnType::U64, column, |v| v.to_le_bytes()),
        Values::Bool(column) => typed(ColumnType::Bool, column, |v| [u8::from(*v)]),
        // Runs of one type, in order.
        Values::Mixed(column) => column.chunk_by(|a, b| a.column_type() == b.column_type()).map(run_of_one).collect(),
    }
}

fn run_of_one(column: &[Value]) -> proto::TypedColumn {
    let kind = column.first().map_or(ColumnType::F64, |value| value.column_type());
    let mut values = Vec::with_capacity(column.len() * kind.width());
    for value in column {
        values.extend_from_slice(&value.to_bits().to_le_bytes()[..kind.width()]);
    }
    proto::TypedColumn { r#type: kind as i32, rows: column.len() as u32, values: values.into() }
}

fn typed<T, const N: usize>(kind: ColumnType, column: &[T], word: fn(&T) -> [u8; N]) -> Vec<proto::TypedColumn> {
    if column.is_empty() {
        return Vec::new();
    }
    vec![proto::TypedColumn { r#type: kind as i32, rows: column.len() as u32, values: pack(column, word) }]
}

fn pack<T, const N: usize>(column: &[T], word: impl Fn(&T) -> [u8; N]) -> Bytes {
    let mut bytes = Vec::with_capacity(column.len() * N);
    for value in column {
        bytes.extend_from_slice(&word(value));
    }
    bytes.into()
}
