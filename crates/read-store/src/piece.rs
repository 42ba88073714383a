//! A piece: points of one series as they lie in chunks and set blocks, in log order.
//!
//! Little-endian, in this order:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, 1 |
//! | 1 | kind: 1 to 5 a `ColumnType`, 6 values of several types |
//! | 1 | flags: bit 0 the figures follow, bit 1 steps never fall |
//! | 4 | count of points |
//! | 76 | the figures, where bit 0 is set: NaN count u32, min f64, max f64, then min and max of step, client time and append time as i64 |
//! | | four columns: steps, client times, append times, values; each 1 byte layout, 4 bytes length, its bytes |
//!
//! Column layouts: 0 plain; 1 `pco`; 2 first and difference (i64 each; whole numbers that rise evenly); 3 differences as
//! zigzag varints; 4 a bit a value; 5 f64 values that are all f32 ones, as a column of f32. Values of several types are a
//! byte of `ColumnType` each, then their bits as a column of u64. A piece below [`FIGURES_FROM`] points has no figures: reading its columns is as cheap. Which layout is chosen
//! depends on the points alone, so that equal points are equal bytes.

use std::ops::Range;

use bytes::Bytes;

use crate::LayoutError;

mod column;
mod header;
mod points;

pub use header::Header;
pub use points::{Points, Values};

use column::{Axis, get_axis, get_values, put_axis, put_values};

/// The layout's version.
pub const VERSION: u8 = 1;
/// Pieces of at least so many points carry their figures in front.
pub const FIGURES_FROM: usize = 128;
/// No piece is larger: what a declared count may make a reader allocate (a chunk is 4,096).
pub const PIECE_POINTS_MAX: usize = 65_536;

pub(crate) fn fail(reason: &'static str) -> LayoutError {
    LayoutError { row: "Piece", reason }
}

/// Encodes one piece of at most [`PIECE_POINTS_MAX`] points.
pub fn encode(points: &Points) -> Bytes {
    Encoder::default().encode(points)
}

/// Decodes a piece whole.
pub fn decode(bytes: &Bytes) -> Result<Points, LayoutError> {
    Decoder::default().decode(bytes)
}

/// The figures of a piece: a few bytes of a large one, the columns of a small one.
pub fn header(bytes: &Bytes) -> Result<Header, LayoutError> {
    let front = header::Front::read(bytes)?;
    match front.figures {
        Some(figures) => Ok(figures),
        None => Ok(Header::of(&decode(bytes)?)),
    }
}

/// Count of points, from the first bytes alone.
pub fn count(bytes: &Bytes) -> Result<u32, LayoutError> {
    header::Front::read(bytes).map(|front| front.count as u32)
}

/// Which columns a reader wants besides steps and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub times: bool,
    pub appended: bool,
}

impl Wanted {
    pub const ALL: Self = Self { times: true, appended: true };
    pub const STEPS: Self = Self { times: false, appended: false };
}

/// Encodes many pieces. Series of one seal mostly share their rows: the columns of steps and times are encoded once as
/// long as they stay the same (three of four columns; measured at half of a seal's work).
#[derive(Default)]
pub struct Encoder {
    steps: Memo,
    times: Memo,
    appended: Memo,
}

#[derive(Default)]
struct Memo {
    column: Vec<i64>,
    bytes: Vec<u8>,
}

impl Memo {
    fn put(&mut self, column: &[i64], out: &mut Vec<u8>) {
        if self.bytes.is_empty() || self.column != column {
            self.column.clear();
            self.column.extend_from_slice(column);
            self.bytes.clear();
            put_axis(column, &mut self.bytes);
        }
        out.extend_from_slice(&self.bytes);
    }
}

impl Encoder {
    pub fn encode(&mut self, points: &Points) -> Bytes {
        debug_assert!(points.is_consistent(), "columns of equal length");
        debug_assert!(points.len() <= PIECE_POINTS_MAX, "a piece has its bound");
        let mut out = Vec::with_capacity(96 + points.len() * 8);
        header::Front::put(points, &mut out);
        self.steps.put(&points.steps, &mut out);
        self.times.put(&points.times_us, &mut out);
        self.appended.put(&points.appended_us, &mut out);
        put_values(&points.values, &mut out);
        out.into()
    }
}

/// Decodes many pieces; columns with the same bytes as the last piece's are decoded once.
#[derive(Default)]
pub struct Decoder {
    steps: Axis,
    times: Axis,
    appended: Axis,
}

impl Decoder {
    pub fn decode(&mut self, bytes: &Bytes) -> Result<Points, LayoutError> {
        self.decode_some(bytes, Wanted::ALL)
    }

    /// Columns that are not wanted come back empty.
    pub fn decode_some(&mut self, bytes: &Bytes, wanted: Wanted) -> Result<Points, LayoutError> {
        let front = header::Front::read(bytes)?;
        let [steps, times, appended, values] = columns(bytes, front.columns_at)?;
        let axis = |memo: &mut Axis, column: &Column, wanted: bool| {
            if wanted { get_axis(memo, bytes, column, front.count) } else { Ok(Vec::new()) }
        };
        let points = Points {
            steps: axis(&mut self.steps, &steps, true)?,
            times_us: axis(&mut self.times, &times, wanted.times)?,
            appended_us: axis(&mut self.appended, &appended, wanted.appended)?,
            values: get_values(front.kind, values.layout, &bytes[values.at], front.count)?,
        };
        Ok(points)
    }
}

/// Where a column lies in its piece.
pub(crate) struct Column {
    pub(crate) layout: u8,
    pub(crate) at: Range<usize>,
}

fn columns(bytes: &[u8], mut at: usize) -> Result<[Column; 4], LayoutError> {
    let mut next = || {
        let front = bytes.get(at..at + 5).ok_or_else(|| fail("ends too early"))?;
        let len = u32::from_le_bytes([front[1], front[2], front[3], front[4]]) as usize;
        let start = at + 5;
        let end = start.checked_add(len).filter(|end| *end <= bytes.len()).ok_or_else(|| fail("ends too early"))?;
        at = end;
        Ok(Column { layout: front[0], at: start..end })
    };
    let columns = [next()?, next()?, next()?, next()?];
    if at == bytes.len() { Ok(columns) } else { Err(fail("has bytes behind its end")) }
}

#[cfg(test)]
mod tests;
