//! How a series' aggregate grows by one point or by another aggregate. The projector folds in log order and a reader adds
//! the tail by the same function, so both see the same bits.

use corral_domain::metric::{Goal, SummaryRule};
use corral_domain::{ColumnType, Value};

use crate::series::SeriesStat;

/// One point as an aggregate sees it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub step: i64,
    pub time_us: i64,
    pub appended_us: i64,
    pub value: Value,
}

impl SeriesStat {
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
