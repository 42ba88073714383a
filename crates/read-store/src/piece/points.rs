//! Points of one series in columns.

use std::ops::Range;

use corral_domain::{Column, ColumnType, Micros, StepGroup, Value};

/// Points of one series in log order: columns of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points {
    pub steps: Vec<i64>,
    /// Client time, us.
    pub times_us: Vec<i64>,
    /// Append time of the record, us.
    pub appended_us: Vec<i64>,
    pub values: Values,
}

/// Values of one type, or of several where a series mixes them. Equality is by bits.
#[derive(Clone, Debug)]
pub enum Values {
    F64(Vec<f64>),
    F32(Vec<f32>),
    I64(Vec<i64>),
    U64(Vec<u64>),
    Bool(Vec<bool>),
    Mixed(Vec<Value>),
}

impl Default for Values {
    fn default() -> Self {
        Self::F64(Vec::new())
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && (0..self.len()).all(|i| self.get(i) == other.get(i))
    }
}

macro_rules! each {
    ($values:expr, $list:ident => $body:expr) => {
        match $values {
            Values::F64($list) => $body,
            Values::F32($list) => $body,
            Values::I64($list) => $body,
            Values::U64($list) => $body,
            Values::Bool($list) => $body,
            Values::Mixed($list) => $body,
        }
    };
}

impl Values {
    pub fn new(kind: ColumnType) -> Self {
        match kind {
            ColumnType::F64 => Self::F64(Vec::new()),
            ColumnType::F32 => Self::F32(Vec::new()),
            ColumnType::I64 => Self::I64(Vec::new()),
            ColumnType::U64 => Self::U64(Vec::new()),
            ColumnType::Bool => Self::Bool(Vec::new()),
        }
    }
    pub fn len(&self) -> usize {
        each!(self, list => list.len())
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The one type of all values; `None` where they are mixed.
    pub fn kind(&self) -> Option<ColumnType> {
        match self {
            Self::F64(_) => Some(ColumnType::F64),
            Self::F32(_) => Some(ColumnType::F32),
            Self::I64(_) => Some(ColumnType::I64),
            Self::U64(_) => Some(ColumnType::U64),
            Self::Bool(_) => Some(ColumnType::Bool),
            Self::Mixed(_) => None,
        }
    }
    /// Panics beyond the end, as indexing does.
    pub fn get(&self, i: usize) -> Value {
        match self {
            Self::F64(list) => Value::F64(list[i]),
            Self::F32(list) => Value::F32(list[i]),
            Self::I64(list) => Value::I64(list[i]),
            Self::U64(list) => Value::U64(list[i]),
            Self::Bool(list) => Value::Bool(list[i]),
            Self::Mixed(list) => list[i],
        }
    }
    /// A value of another type turns the column into a mixed one.
    pub fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::F64(list), Value::F64(v)) => list.push(v),
            (Self::F32(list), Value::F32(v)) => list.push(v),
            (Self::I64(list), Value::I64(v)) => list.push(v),
            (Self::U64(list), Value::U64(v)) => list.push(v),
            (Self::Bool(list), Value::Bool(v)) => list.push(v),
            (Self::Mixed(list), v) => list.push(v),
            (this, v) => this.for_kind(v.column_type()).push(v),
        }
    }
    /// Appends rows of another column.
    pub fn extend(&mut self, other: &Self, rows: Range<usize>) {
        if let (true, Some(kind)) = (self.is_empty() && self.kind() != other.kind(), other.kind()) {
            *self = Self::new(kind);
        }
        match (self, other) {
            (Self::F64(list), Self::F64(from)) => list.extend_from_slice(&from[rows]),
            (Self::F32(list), Self::F32(from)) => list.extend_from_slice(&from[rows]),
            (Self::I64(list), Self::I64(from)) => list.extend_from_slice(&from[rows]),
            (Self::U64(list), Self::U64(from)) => list.extend_from_slice(&from[rows]),
            (Self::Bool(list), Self::Bool(from)) => list.extend_from_slice(&from[rows]),
            (this, from) => rows.for_each(|row| this.push(from.get(row))),
        }
    }
    /// Appends `rows` values of a column as it came from the wire: little-endian bytes, checked when they were decoded.
    pub fn extend_le(&mut self, kind: ColumnType, bytes: &[u8]) {
        fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
            bytes.as_chunks::<N>().0.iter().copied()
        }
        match self.for_kind(kind) {
            Self::F64(list) => list.extend(words(bytes).map(f64::from_le_bytes)),
            Self::F32(list) => list.extend(words(bytes).map(f32::from_le_bytes)),
            Self::I64(list) => list.extend(words(bytes).map(i64::from_le_bytes)),
            Self::U64(list) => list.extend(words(bytes).map(u64::from_le_bytes)),
            Self::Bool(list) => list.extend(bytes.iter().map(|b| *b != 0)),
            Self::Mixed(list) => {
                let mut more = Self::new(kind);
                more.extend_le(kind, bytes);
                list.extend((0..more.len()).map(|i| more.get(i)));
            }
        }
    }
    pub fn reserve(&mut self, rows: usize) {
        each!(self, list => list.reserve(rows));
    }
    pub fn truncate(&mut self, rows: usize) {
        each!(self, list => list.truncate(rows));
    }
    /// Takes the first `rows` off the front.
    pub fn split_front(&mut self, rows: usize) -> Self {
        let back = match self {
            Self::F64(list) => Self::F64(list.split_off(rows)),
            Self::F32(list) => Self::F32(list.split_off(rows)),
            Self::I64(list) => Self::I64(list.split_off(rows)),
            Self::U64(list) => Self::U64(list.split_off(rows)),
            Self::Bool(list) => Self::Bool(list.split_off(rows)),
            Self::Mixed(list) => Self::Mixed(list.split_off(rows)),
        };
        std::mem::replace(self, back)
    }
    /// Itself, ready for values of `kind`: an empty column takes the type, another one becomes mixed.
    fn for_kind(&mut self, kind: ColumnType) -> &mut Self {
        if self.kind().is_some_and(|own| own != kind) {
            *self = if self.is_empty() {
                Self::new(kind)
            } else {
                Self::Mixed((0..self.len()).map(|i| self.get(i)).collect())
            };
        }
        self
    }
}

impl Points {
    pub fn new(kind: ColumnType) -> Self {
        Self { values: Values::new(kind), ..Self::default() }
    }
    pub fn len(&self) -> usize {
        self.steps.len()
    }
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
    pub fn push(&mut self, step: i64, time_us: i64, appended: Micros, value: Value) {
        self.steps.push(step);
        self.times_us.push(time_us);
        self.appended_us.push(appended.0);
        self.values.push(value);
    }
    pub fn reserve(&mut self, rows: usize) {
        self.steps.reserve(rows);
        self.times_us.reserve(rows);
        self.appended_us.reserve(rows);
        self.values.reserve(rows);
    }
    /// Appends rows of other points.
    pub fn extend(&mut self, other: &Self, rows: Range<usize>) {
        self.steps.extend_from_slice(&other.steps[rows.clone()]);
        self.times_us.extend_from_slice(&other.times_us[rows.clone()]);
        self.appended_us.extend_from_slice(&other.appended_us[rows.clone()]);
        self.values.extend(&other.values, rows);
    }
    /// Appends rows of one column of a step group that was appended to the log at `appended`.
    pub fn extend_group(&mut self, group: &StepGroup, column: &Column, rows: Range<usize>, appended: Micros) {
        let put = |bytes: &[u8], list: &mut Vec<i64>| {
            let words = bytes[rows.start * 8..rows.end * 8].as_chunks::<8>().0;
            list.extend(words.iter().map(|word| i64::from_le_bytes(*word)));
        };
        put(&group.steps, &mut self.steps);
        put(&group.times, &mut self.times_us);
        self.appended_us.resize(self.steps.len(), appended.0);
        let width = column.kind.width();
        self.values.extend_le(column.kind, &column.values[rows.start * width..rows.end * width]);
    }
    pub fn slice(&self, rows: Range<usize>) -> Self {
        let mut part = Self { values: self.values.kind().map_or_else(Values::default, Values::new), ..Self::default() };
        part.extend(self, rows);
        part
    }
    /// Takes the first `rows` off the front, in log order.
    pub fn split_front(&mut self, rows: usize) -> Self {
        let front = |list: &mut Vec<i64>| {
            let back = list.split_off(rows);
            std::mem::replace(list, back)
        };
        Self {
            steps: front(&mut self.steps),
            times_us: front(&mut self.times_us),
            appended_us: front(&mut self.appended_us),
            values: self.values.split_front(rows),
        }
    }
    pub(super) fn is_consistent(&self) -> bool {
        let rows = self.steps.len();
        self.times_us.len() == rows && self.appended_us.len() == rows && self.values.len() == rows
    }
}
