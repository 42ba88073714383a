//! One `log()` call's points as a spool item: compact, complete in itself, quick to group into columns.
//!
//! Bytes (little-endian): flags u8 (bit 0: the step counts from the run's next step), 3 zeros, length of the heads u32,
//! step i64, client time i64 (microseconds), heads, values. A head is the LEB128 varint of `metric * 8 + column type`;
//! a value has its type's width. That a row repeats its metric ids costs a byte or two a value and means that damage to
//! one row costs no other.

use corral_domain::{ColumnType, Value};

const FIXED_BYTES: usize = 24;
const AUTO_STEP: u8 = 1;
/// Columns of one row; a `log()` call with more becomes several rows of one step. Keeps a row below `ITEM_BYTES_MAX` on
/// every side of the wire.
pub const ROW_COLUMNS_MAX: usize = 16_384;

/// The values of a row that is being put together. Used again for every call.
#[derive(Clone, Debug, Default)]
pub struct Row {
    heads: Vec<u8>,
    values: Vec<u8>,
    columns: usize,
}

impl Row {
    pub fn clear(&mut self) {
        self.heads.clear();
        self.values.clear();
        self.columns = 0;
    }

    /// A metric may stand in a row once; the caller sees to it.
    #[inline]
    pub fn push(&mut self, metric: u32, value: Value) {
        let mut head = u64::from(metric) << 3 | value.column_type() as u64;
        while head >= 0x80 {
            self.heads.push(head as u8 | 0x80);
            head >>= 7;
        }
        self.heads.push(head as u8);
        match value {
            Value::F64(v) => self.values.extend_from_slice(&v.to_le_bytes()),
            Value::F32(v) => self.values.extend_from_slice(&v.to_le_bytes()),
            Value::I64(v) => self.values.extend_from_slice(&v.to_le_bytes()),
            Value::U64(v) => self.values.extend_from_slice(&v.to_le_bytes()),
            Value::Bool(v) => self.values.push(u8::from(v)),
        }
        self.columns += 1;
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    pub fn is_empty(&self) -> bool {
        self.columns == 0
    }

    pub(crate) fn encoded_len(&self) -> usize {
        FIXED_BYTES + self.heads.len() + self.values.len()
    }

    #[inline]
    pub(crate) fn encode(&self, step: Step, time_us: i64, place: &mut [u8]) {
        let (flags, step) = match step {
            Step::At(step) => (0, step),
            Step::Auto(step) => (AUTO_STEP, step),
        };
        place[..4].copy_from_slice(&[flags, 0, 0, 0]);
        place[4..8].copy_from_slice(&(self.heads.len() as u32).to_le_bytes());
        place[8..16].copy_from_slice(&step.to_le_bytes());
        place[16..24].copy_from_slice(&time_us.to_le_bytes());
        let values = FIXED_BYTES + self.heads.len();
        place[FIXED_BYTES..values].copy_from_slice(&self.heads);
        place[values..].copy_from_slice(&self.values);
    }
}

/// A step as the user gave it, or counted from where the run goes on (which only the run's opening tells).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    At(i64),
    Auto(i64),
}

/// A row read back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowRef<'a> {
    pub(crate) step: Step,
    pub(crate) time_us: i64,
    /// Equal heads are equal sets of metrics in equal order and types.
    pub(crate) heads: &'a [u8],
    pub(crate) values: &'a [u8],
}

impl<'a> RowRef<'a> {
    /// `None`: not a row. Its checksum was right, so that would be another version's.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED_BYTES)?;
        let (heads, values) = rest.split_at_checked(u32::from_le_bytes(fixed[4..8].try_into().ok()?) as usize)?;
        let step = i64::from_le_bytes(fixed[8..16].try_into().ok()?);
        let step = if fixed[0] & AUTO_STEP == 0 { Step::At(step) } else { Step::Auto(step) };
        Some(Self { step, time_us: i64::from_le_bytes(fixed[16..24].try_into().ok()?), heads, values })
    }
}

/// The metrics and types that heads name, if they are whole and fit `values_len`.
pub(crate) fn columns_of(heads: &[u8], values_len: usize) -> Option<Vec<(u32, ColumnType)>> {
    let (mut columns, mut head, mut shift, mut width) = (Vec::new(), 0_u64, 0_u32, 0);
    for byte in heads {
        head |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if shift > 42 {
            return None;
        }
        if byte & 0x80 == 0 {
            let kind = match head & 7 {
                1 => ColumnType::F64,
                2 => ColumnType::F32,
                3 => ColumnType::I64,
                4 => ColumnType::U64,
                5 => ColumnType::Bool,
                _ => return None,
            };
            columns.push((u32::try_from(head >> 3).ok()?, kind));
            width += kind.width();
            (head, shift) = (0, 0);
        }
    }
    (shift == 0 && width == values_len && !columns.is_empty()).then_some(columns)
}

#[cfg(test)]
mod tests;
