//! What runs are sorted by. A total order: numbers (exact beyond 2^53), then texts, then NaN, then what is missing;
//! descending turns the first two about and leaves the rest last.

use std::cmp::Ordering;

use corral_domain::Value;
use corral_read_store::layout::Field;
use corral_read_store::run::{RunHeadRow, SummaryValue};
use corral_read_store::stat::column_type;

use crate::ask::{OrderBy, RunField};
use crate::run::derived_state;
use corral_domain::Micros;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SortKey {
    Number(Number),
    Text(String),
    NotANumber,
    Missing,
}

/// A number as its floor and what is above it, so that whole numbers and floats compare exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number {
    /// Saturates; beyond it `rest` decides.
    floor: i128,
    rest: f64,
}

impl Number {
    fn whole(value: impl Into<i128>) -> Self {
        Self { floor: value.into(), rest: 0.0 }
    }
    fn float(value: f64) -> Self {
        let floor = value.floor() as i128;
        let beyond = floor == i128::MAX || floor == i128::MIN;
        Self { floor, rest: if beyond { value } else { value - value.floor() } }
    }
}

impl SortKey {
    fn of_float(value: f64) -> Self {
        if value.is_nan() { Self::NotANumber } else { Self::Number(Number::float(value)) }
    }
    fn of_value(value: Value) -> Self {
        match value {
            Value::F64(v) => Self::of_float(v),
            Value::F32(v) => Self::of_float(f64::from(v)),
            Value::I64(v) => Self::Number(Number::whole(v)),
            Value::U64(v) => Self::Number(Number::whole(v)),
            Value::Bool(v) => Self::Number(Number::whole(u8::from(v))),
        }
    }
    pub(crate) fn of_json(text: &str) -> Self {
        // How non-finite numbers are spelled; a text of that content is spelled otherwise.
        match text {
            "\"NaN\"" => return Self::NotANumber,
            "\"Infinity\"" => return Self::of_float(f64::INFINITY),
            "\"-Infinity\"" => return Self::of_float(f64::NEG_INFINITY),
            _ => {}
        }
        match serde_json::from_str(text) {
            Ok(serde_json::Value::Null) => Self::Missing,
            Ok(serde_json::Value::Bool(v)) => Self::Number(Number::whole(u8::from(v))),
            Ok(serde_json::Value::Number(number)) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(v), _, _) => Self::Number(Number::whole(v)),
                (_, Some(v), _) => Self::Number(Number::whole(v)),
                (_, _, Some(v)) => Self::of_float(v),
                _ => Self::Text(text.to_owned()),
            },
            Ok(serde_json::Value::String(v)) => Self::Text(v),
            _ => Self::Text(text.to_owned()),
        }
    }
    fn of_summary(value: &SummaryValue) -> Self {
        match column_type(value.kind) {
            Some(kind) => Self::of_value(Value::from_bits(kind, value.bits)),
            None => Self::of_json(&value.text),
        }
    }

    /// What a head says of the order's field; config paths that a head has no room for are looked up elsewhere.
    pub(crate) fn of_head(head: &RunHeadRow, by: &OrderBy, now: Micros) -> Self {
        match by {
            OrderBy::Field(RunField::Created) => Self::Number(Number::whole(head.created.0)),
            OrderBy::Field(RunField::Name) => Self::Text(head.name.clone()),
            OrderBy::Field(RunField::State) => {
                Self::Number(Number::whole(derived_state(head.state, head.last_append, now) as u8))
            }
            OrderBy::Field(RunField::LastActive) => Self::Number(Number::whole(head.last_append.0)),
            OrderBy::Summary(key) => {
                head.summary.iter().find(|(k, _)| k == key).map_or(Self::Missing, |(_, value)| Self::of_summary(value))
            }
            OrderBy::Config(path) => {
                head.config.iter().find(|(p, _)| p == path).map_or(Self::Missing, |(_, json)| Self::of_json(json))
            }
        }
    }

    fn class(&self) -> u8 {
        match self {
            Self::Number(_) | Self::Text(_) => 0,
            Self::NotANumber => 1,
            Self::Missing => 2,
        }
    }

    pub(crate) fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let present = match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.floor.cmp(&b.floor).then(a.rest.total_cmp(&b.rest)),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
            _ => return self.class().cmp(&other.class()),
        };
        if descending { present.reverse() } else { present }
    }
}

impl Field for SortKey {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => {
                1_u8.put(out);
                ((number.floor >> 64) as i64).put(out);
                (number.floor as u64).put(out);
                number.rest.put(out);
            }
            Self::Text(text) => {
                2_u8.put(out);
                text.put(out);
            }
            Self::NotANumber => 3_u8.put(out),
            Self::Missing => 4_u8.put(out),
        }
    }
    fn take(input: &mut bytes::Bytes) -> Result<Self, &'static str> {
        Ok(match u8::take(input)? {
            1 => {
                let (high, low) = (i64::take(input)?, u64::take(input)?);
                Self::Number(Number { floor: i128::from(high) << 64 | i128::from(low), rest: f64::take(input)? })
            }
            2 => Self::Text(String::take(input)?),
            3 => Self::NotANumber,
            4 => Self::Missing,
            _ => return Err("has a sort key of an unknown kind"),
        })
    }
}

#[cfg(test)]
mod tests;
