//! How a series' aggregate grows by one point or by another aggregate. The projector folds in log order and a reader adds
//! the tail by the same function, so both see the same bits.

use std::ops::Range;

use corral_domain::metric::{Goal, SummaryRule};
use corral_domain::{Column, ColumnType, StepGroup, Value};

use crate::series::SeriesStat;

/// One point as an aggregate sees it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub step: i64,
    pub time_us: i64,
    pub appended_us: i64,
    pub value: Value,
}

/// Rows of a step group that are added together: what all columns of the group share.
#[derive(Clone, Debug)]
pub struct Rows {
    range: Range<usize>,
    min_step: i64,
    max_step: i64,
    min_time_us: i64,
    max_time_us: i64,
    /// The last row with the highest step.
    last: usize,
}

impl Rows {
    /// `None` for an empty range.
    pub fn of(group: &StepGroup, range: Range<usize>) -> Option<Self> {
        let first = range.clone().next()?;
        let (step, time) = (group.step(first), group.time_us(first));
        let mut rows = Self {
            range: range.clone(),
            min_step: step,
            max_step: step,
            min_time_us: time,
            max_time_us: time,
            last: first,
        };
        for row in range {
            let (step, time) = (group.step(row), group.time_us(row));
            rows.min_step = rows.min_step.min(step);
            if step >= rows.max_step {
                (rows.max_step, rows.last) = (step, row);
            }
            rows.min_time_us = rows.min_time_us.min(time);
            rows.max_time_us = rows.max_time_us.max(time);
        }
        Some(rows)
    }
    pub fn len(&self) -> usize {
        self.range.len()
    }
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }
    pub fn max_step(&self) -> i64 {
        self.max_step
    }
    /// Client times of the earliest and the latest point.
    pub fn times_us(&self) -> (i64, i64) {
        (self.min_time_us, self.max_time_us)
    }
}

impl SeriesStat {
    /// Adds rows of a column that was appended to the log at `appended_us`: the same as [`SeriesStat::add`] a row.
    pub fn add_column(&mut self, group: &StepGroup, column: &Column, rows: &Rows, appended_us: i64) {
        let width = column.kind.width();
        let bytes = &column.values[rows.range.start * width..rows.range.end * width];
        match column.kind {
            ColumnType::F64 => self.add_numbers(bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b))),
            ColumnType::F32 => {
                self.add_numbers(bytes.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))));
            }
            ColumnType::I64 => self.add_numbers(bytes.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as f64)),
            ColumnType::U64 => self.add_numbers(bytes.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b) as f64)),
            ColumnType::Bool => self.add_numbers(bytes.iter().map(|b| f64::from(u8::from(*b != 0)))),
        }
        let first = self.count == rows.len() as u64;
        self.min_step = if first { rows.min_step } else { self.min_step.min(rows.min_step) };
        self.max_step = if first { rows.max_step } else { self.max_step.max(rows.max_step) };
        if first || rows.max_step >= self.last_step {
            let value = column.value(rows.last);
            self.last_step = rows.max_step;
            self.last_kind = value.column_type() as u8;
            self.last_bits = value.to_bits();
            self.last_time_us = group.time_us(rows.last);
            self.last_appended_us = appended_us;
        }
    }

    fn add_numbers(&mut self, numbers: impl ExactSizeIterator<Item = f64>) {
        let none = self.count == self.nan_count;
        let (mut min, mut max) = if none { (f64::INFINITY, f64::NEG_INFINITY) } else { (self.min, self.max) };
        let (mut sum, mut nan) = (self.sum, 0_u64);
        self.count += numbers.len() as u64;
        for number in numbers {
            if number.is_nan() {
                nan += 1;
                continue;
            }
            if number < min {
                min = number;
            }
            if number > max {
                max = number;
            }
            sum += number;
        }
        self.nan_count += nan;
        if self.count > self.nan_count {
            (self.min, self.max, self.sum) = (min, max, sum);
        }
    }

    /// Adds the next point in log order.
    pub fn add(&mut self, point: Arrival) {
        let number = point.value.as_f64();
        if number.is_nan() {
            self.nan_count += 1;
        } else if self.count == self.nan_count {
            (self.min, self.max) = (number, number);
            self.sum += number;
        } else {
            if number < self.min {
                self.min = number;
            }
            if number > self.max {
                self.max = number;
            }
            self.sum += number;
        }
        let first = self.count == 0;
        self.min_step = if first { point.step } else { self.min_step.min(point.step) };
        self.max_step = if first { point.step } else { self.max_step.max(point.step) };
        if first || point.step >= self.last_step {
            self.last_step = point.step;
            self.last_kind = point.value.column_type() as u8;
            self.last_bits = point.value.to_bits();
            self.last_time_us = point.time_us;
            self.last_appended_us = point.appended_us;
        }
        self.count += 1;
    }

    /// Adds another series' aggregate: of equal last steps the later arrival is the last, of equal arrivals `other`.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = other.clone();
            return;
        }
        if other.count > other.nan_count {
            let none = self.count == self.nan_count;
            self.min = if none || other.min < self.min { other.min } else { self.min };
            self.max = if none || other.max > self.max { other.max } else { self.max };
            self.sum += other.sum;
        }
        self.min_step = self.min_step.min(other.min_step);
        self.max_step = self.max_step.max(other.max_step);
        if (other.last_step, other.last_appended_us) >= (self.last_step, self.last_appended_us) {
            self.last_step = other.last_step;
            self.last_kind = other.last_kind;
            self.last_bits = other.last_bits;
            self.last_time_us = other.last_time_us;
            self.last_appended_us = other.last_appended_us;
        }
        self.count += other.count;
        self.nan_count += other.nan_count;
    }

    /// The value at the highest step, then the latest arrival.
    pub fn last(&self) -> Option<Value> {
        Some(Value::from_bits(column_type(self.last_kind)?, self.last_bits))
    }

    pub fn mean(&self) -> Option<f64> {
        let numbers = self.count - self.nan_count;
        (numbers > 0).then(|| self.sum / numbers as f64)
    }

    /// The figure that a metric's summary shows; `None`: nothing to show.
    pub fn figure(&self, rule: SummaryRule, goal: Goal) -> Option<Value> {
        let number = |value: f64| (self.count > self.nan_count).then_some(Value::F64(value));
        match (rule, goal) {
            (SummaryRule::None, _) => None,
            (SummaryRule::Min, _) | (SummaryRule::Best, Goal::Minimize) => number(self.min),
            (SummaryRule::Max, _) | (SummaryRule::Best, Goal::Maximize) => number(self.max),
            (SummaryRule::Mean, _) => self.mean().map(Value::F64),
            (SummaryRule::Last, _) | (SummaryRule::Best, Goal::Unspecified) => self.last(),
        }
    }
}

/// A persisted number of a column type; `None` for 0 and for what this build does not know.
pub fn column_type(number: u8) -> Option<ColumnType> {
    match number {
        1 => Some(ColumnType::F64),
        2 => Some(ColumnType::F32),
        3 => Some(ColumnType::I64),
        4 => Some(ColumnType::U64),
        5 => Some(ColumnType::Bool),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
