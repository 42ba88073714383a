//! Metrics and their figures.

use corral_domain::Value;
use corral_query::Metric;

use crate::proto;
use crate::proto::typed_value::Kind;

/// Exact in its type: nothing passes through a double on its way.
pub(crate) fn value_to_proto(value: Value) -> proto::TypedValue {
    let kind = match value {
        Value::F64(value) => Kind::F64(value),
        Value::F32(value) => Kind::F32(value),
        Value::I64(value) => Kind::I64(value),
        Value::U64(value) => Kind::U64(value),
        Value::Bool(value) => Kind::Bool(value),
    };
    proto::TypedValue { kind: Some(kind) }
}

pub(crate) fn metric_to_proto(metric: Metric) -> proto::Metric {
    proto::Metric {
        name: metric.name,
        step_metric: metric.step_metric,
        goal: metric.goal as i32,
        summary: metric.summary as i32,
        count: metric.count,
        nan_count: metric.nan_count,
        min: metric.min,
        max: metric.max,
        mean: metric.mean,
        last: metric.last.map(value_to_proto),
        last_step: metric.last_step,
        labels: metric.labels,
    }
}
