//! Step groups: checked by length arithmetic, passed through as bytes.

use corral_domain::limits::{RECORD_ITEMS_MAX, RUN_METRICS_MAX};
use corral_domain::{Column, ColumnType, StepGroup};

use crate::{InvalidEvent, proto};

pub(crate) fn to_proto(group: &StepGroup) -> proto::StepGroup {
    let column = |c: &Column| proto::Column { metric_id: c.metric, r#type: c.kind as i32, values: c.values.clone() };
    proto::StepGroup {
        rows: group.rows,
        steps: group.steps.clone(),
        times_us: group.times.clone(),
        columns: group.columns.iter().map(column).collect(),
    }
}

pub(crate) fn from_proto(proto: proto::StepGroup) -> Result<StepGroup, InvalidEvent> {
    let rows = proto.rows as usize;
    if rows == 0 || proto.rows as u64 > RECORD_ITEMS_MAX {
        return Err(InvalidEvent::new("points.rows", format!("{rows} is not within 1 to {RECORD_ITEMS_MAX}")));
    }
    if proto.steps.len() != rows * 8 || proto.times_us.len() != rows * 8 {
        return Err(InvalidEvent::new("points.steps", format!("steps and times must be {} bytes each", rows * 8)));
    }
    if proto.columns.is_empty() {
        return Err(InvalidEvent::new("points.columns", "is empty"));
    }
    let columns = proto.columns.into_iter().map(|c| column(c, rows)).collect::<Result<Vec<_>, _>>()?;
    let mut seen: Vec<u32> = columns.iter().map(|c| c.metric).collect();
    seen.sort_unstable();
    if seen.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(InvalidEvent::new("points.columns", "one metric has two columns in a group"));
    }
    Ok(StepGroup { rows: proto.rows, steps: proto.steps, times: proto.times_us, columns })
}

/// The number of a column type in `event.proto` and in rows.
pub(crate) fn column_type(number: i32) -> Result<ColumnType, InvalidEvent> {
    match proto::ColumnType::try_from(number) {
        Ok(proto::ColumnType::F64) => Ok(ColumnType::F64),
        Ok(proto::ColumnType::F32) => Ok(ColumnType::F32),
        Ok(proto::ColumnType::I64) => Ok(ColumnType::I64),
        Ok(proto::ColumnType::U64) => Ok(ColumnType::U64),
        Ok(proto::ColumnType::Bool) => Ok(ColumnType::Bool),
        _ => Err(InvalidEvent::new("points.columns.type", format!("{number} is not known"))),
    }
}

fn column(proto: proto::Column, rows: usize) -> Result<Column, InvalidEvent> {
    let kind = column_type(proto.r#type)?;
    if proto.metric_id >= RUN_METRICS_MAX {
        let reason = format!("{} is not below {RUN_METRICS_MAX}", proto.metric_id);
        return Err(InvalidEvent::new("points.columns.metric_id", reason));
    }
    if proto.values.len() != rows * kind.width() {
        let reason = format!("must be {} bytes, has {}", rows * kind.width(), proto.values.len());
        return Err(InvalidEvent::new("points.columns.values", reason));
    }
    if kind == ColumnType::Bool && proto.values.iter().any(|b| *b > 1) {
        return Err(InvalidEvent::new("points.columns.values", "a boolean must be 0 or 1"));
    }
    Ok(Column { metric: proto.metric_id, kind, values: proto.values })
}
