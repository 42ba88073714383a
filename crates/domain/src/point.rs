//! Points as they travel: step groups of shared steps and times with one typed column a metric.
//!
//! Arrays are little-endian bytes, checked by length arithmetic and passed through from wire to tail without decoding.

use bytes::Bytes;

/// How a column's values are laid out. The numbers are persisted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnType {
    F64 = 1,
    F32 = 2,
    I64 = 3,
    U64 = 4,
    /// One byte a value, 0 or 1.
    Bool = 5,
}

impl ColumnType {
    pub const fn width(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 => 4,
            Self::Bool => 1,
        }
    }
}

/// One value of one point. Floats keep their bits, save that every NaN is the canonical one (made so at the door).
#[derive(Clone, Copy, Debug)]
pub enum Value {
    F64(f64),
    F32(f32),
    I64(i64),
    U64(u64),
    Bool(bool),
}

impl Value {
    pub const fn column_type(self) -> ColumnType {
        match self {
            Self::F64(_) => ColumnType::F64,
            Self::F32(_) => ColumnType::F32,
            Self::I64(_) => ColumnType::I64,
            Self::U64(_) => ColumnType::U64,
            Self::Bool(_) => ColumnType::Bool,
        }
    }
    /// For axes and for min, max and mean; integers beyond 2^53 round here and nowhere else.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::F64(v) => v,
            Self::F32(v) => f64::from(v),
            Self::I64(v) => v as f64,
            Self::U64(v) => v as f64,
            Self::Bool(v) => f64::from(u8::from(v)),
        }
    }
    /// The value's bits, widened to 64: equal bits of one type are equal values (so NaN equals NaN, and -0.0 is not 0.0).
    pub fn to_bits(self) -> u64 {
        match self {
            Self::F64(v) => v.to_bits(),
            Self::F32(v) => u64::from(v.to_bits()),
            Self::I64(v) => v as u64,
            Self::U64(v) => v,
            Self::Bool(v) => u64::from(v),
        }
    }
    pub fn from_bits(kind: ColumnType, bits: u64) -> Self {
        match kind {
            ColumnType::F64 => Self::F64(f64::from_bits(bits)),
            ColumnType::F32 => Self::F32(f32::from_bits(bits as u32)),
            ColumnType::I64 => Self::I64(bits as i64),
            ColumnType::U64 => Self::U64(bits),
            ColumnType::Bool => Self::Bool(bits != 0),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.column_type() == other.column_type() && self.to_bits() == other.to_bits()
    }
}
impl Eq for Value {}

/// `rows` values of one metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The writer's own number of the metric; counts from 0 and is registered before first use.
    pub metric: u32,
    pub kind: ColumnType,
    /// `rows * kind.width()` bytes.
    pub values: Bytes,
}

impl Column {
    /// The value of one row; `row` must be below the group's rows (checked when the group was decoded).
    pub fn value(&self, row: usize) -> Value {
        let width = self.kind.width();
        let mut bits = [0_u8; 8];
        bits[..width].copy_from_slice(&self.values[row * width..(row + 1) * width]);
        Value::from_bits(self.kind, u64::from_le_bytes(bits))
    }
}

/// Rows that share their set of metrics. Each row is one item: the points of one `log()` call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepGroup {
    pub rows: u32,
    /// i64 a row.
    pub steps: Bytes,
    /// Client time in microseconds since the Unix epoch, i64 a row.
    pub times: Bytes,
    pub columns: Vec<Column>,
}

impl StepGroup {
    pub fn step(&self, row: usize) -> i64 {
        le_i64(&self.steps, row)
    }
    pub fn time_us(&self, row: usize) -> i64 {
        le_i64(&self.times, row)
    }
    pub fn points(&self) -> u64 {
        u64::from(self.rows) * self.columns.len() as u64
    }
}

fn le_i64(bytes: &[u8], index: usize) -> i64 {
    let mut word = [0_u8; 8];
    word.copy_from_slice(&bytes[index * 8..index * 8 + 8]);
    i64::from_le_bytes(word)
}
