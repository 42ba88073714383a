//! What a piece says of itself before its columns.

use corral_domain::{ColumnType, Value};

use super::{FIGURES_FROM, PIECE_POINTS_MAX, Points, VERSION, Values, fail};
use crate::LayoutError;

/// The figures of a piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    pub count: u32,
    pub nan_count: u32,
    /// Over values that are not NaN; NaN where there is none.
    pub min: f64,
    pub max: f64,
    /// Meaningless while `count` is 0, as are all that follow.
    pub min_step: i64,
    pub max_step: i64,
    pub min_time_us: i64,
    pub max_time_us: i64,
    pub min_appended: i64,
    pub max_appended: i64,
    /// Steps never fall from one point to the next.
    pub steps_rise: bool,
}

impl Header {
    pub fn of(points: &Points) -> Self {
        let ends = |list: &[i64]| {
            list.iter().fold((i64::MAX, i64::MIN), |(min, max), value| (min.min(*value), max.max(*value)))
        };
        let (min_step, max_step) = ends(&points.steps);
        let (min_time_us, max_time_us) = ends(&points.times_us);
        let (min_appended, max_appended) = ends(&points.appended_us);
        let (nan_count, min, max) = spread(&points.values);
        Self {
            count: points.len() as u32,
            nan_count,
            min,
            max,
            min_step,
            max_step,
            min_time_us,
            max_time_us,
            min_appended,
            max_appended,
            steps_rise: points.steps.is_sorted(),
        }
    }
}

/// (NaN count, min, max) with NaN skipped.
fn spread(values: &Values) -> (u32, f64, f64) {
    let fold = |values: &mut dyn Iterator<Item = f64>| {
        let (mut nan, mut min, mut max) = (0, f64::NAN, f64::NAN);
        for value in values {
            if value.is_nan() {
                nan += 1;
                continue;
            }
            // By comparison, the first of equals: what `f64::min` does with zeros of two signs is not said.
            if min.is_nan() || value < min {
                min = value;
            }
            if max.is_nan() || value > max {
                max = value;
            }
        }
        (nan, min, max)
    };
    match values {
        Values::F64(list) => fold(&mut list.iter().copied()),
        Values::F32(list) => fold(&mut list.iter().map(|v| f64::from(*v))),
        other => fold(&mut (0..other.len()).map(|i| other.get(i).as_f64())),
    }
}

/// A piece's kind byte: a `ColumnType`, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    One(ColumnType),
    Several,
}

const SEVERAL: u8 = 6;

impl Kind {
    /// Mixed columns whose values all have one type are of that type, so that equal points are equal bytes.
    pub(super) fn of(values: &Values) -> Self {
        match values {
            Values::Mixed(list) => {
                let first = list.first().map_or(ColumnType::F64, |value| value.column_type());
                if list.iter().all(|v| v.column_type() == first) { Self::One(first) } else { Self::Several }
            }
            one => Self::One(one.kind().unwrap_or(ColumnType::F64)),
        }
    }
    pub(super) fn column_type(byte: u8) -> Result<ColumnType, LayoutError> {
        Ok(match byte {
            1 => ColumnType::F64,
            2 => ColumnType::F32,
            3 => ColumnType::I64,
            4 => ColumnType::U64,
            5 => ColumnType::Bool,
            _ => return Err(fail("has a type of value that this build does not read")),
        })
    }
}

/// The first bytes of a piece.
pub(super) struct Front {
    pub(super) kind: Kind,
    pub(super) count: usize,
    pub(super) figures: Option<Header>,
    pub(super) columns_at: usize,
}

const FIGURES: u8 = 1;
const STEPS_RISE: u8 = 2;
const SHORT: usize = 7;
const LONG: usize = SHORT + 4 + 8 * 8;

impl Front {
    pub(super) fn put(points: &Points, out: &mut Vec<u8>) {
        let kind = match Kind::of(&points.values) {
            Kind::One(kind) => kind as u8,
            Kind::Several => SEVERAL,
        };
        let figures = points.len() >= FIGURES_FROM;
        let rise = points.steps.is_sorted();
        out.extend([VERSION, kind, if figures { FIGURES } else { 0 } | if rise { STEPS_RISE } else { 0 }]);
        out.extend((points.len() as u32).to_le_bytes());
        if !figures {
            return;
        }
        let header = Header::of(points);
        out.extend(header.nan_count.to_le_bytes());
        out.extend(header.min.to_le_bytes());
        out.extend(header.max.to_le_bytes());
        let ends = [header.min_step, header.max_step, header.min_time_us, header.max_time_us];
        for value in ends.into_iter().chain([header.min_appended, header.max_appended]) {
            out.extend(value.to_le_bytes());
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, LayoutError> {
        let short = bytes.first_chunk::<SHORT>().ok_or_else(|| fail("ends too early"))?;
        if short[0] != VERSION {
            return Err(fail("has a version that this build does not read"));
        }
        let kind = if short[1] == SEVERAL { Kind::Several } else { Kind::One(Kind::column_type(short[1])?) };
        let flags = short[2];
        if flags & !(FIGURES | STEPS_RISE) != 0 {
            return Err(fail("has flags that this build does not read"));
        }
        let count = u32::from_le_bytes([short[3], short[4], short[5], short[6]]) as usize;
        if count > PIECE_POINTS_MAX {
            return Err(fail("has more points than a piece may have"));
        }
        if flags & FIGURES == 0 {
            return Ok(Self { kind, count, figures: None, columns_at: SHORT });
        }
        let long = bytes.get(SHORT..LONG).ok_or_else(|| fail("ends too early"))?;
        let word = |i: usize| {
            let mut word = [0_u8; 8];
            word.copy_from_slice(&long[4 + i * 8..12 + i * 8]);
            word
        };
        let figures = Header {
            count: count as u32,
            nan_count: u32::from_le_bytes([long[0], long[1], long[2], long[3]]),
            min: f64::from_le_bytes(word(0)),
            max: f64::from_le_bytes(word(1)),
            min_step: i64::from_le_bytes(word(2)),
            max_step: i64::from_le_bytes(word(3)),
            min_time_us: i64::from_le_bytes(word(4)),
            max_time_us: i64::from_le_bytes(word(5)),
            min_appended: i64::from_le_bytes(word(6)),
            max_appended: i64::from_le_bytes(word(7)),
            steps_rise: flags & STEPS_RISE != 0,
        };
        Ok(Self { kind, count, figures: Some(figures), columns_at: LONG })
    }
}

/// A value from a kind byte and bits.
pub(super) fn value_of(kind: u8, bits: u64) -> Result<Value, LayoutError> {
    Kind::column_type(kind).map(|kind| Value::from_bits(kind, bits))
}
