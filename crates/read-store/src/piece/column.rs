//! The columns of a piece, and which layout each takes.

use corral_domain::{ColumnType, Value};
use pco::data_types::Number;
use pco::standalone::{simple_compress, simple_decompress_into};
use pco::{ChunkConfig, DeltaSpec, ModeSpec};

use super::header::{Kind, value_of};
use super::{Column, Values, fail};
use crate::LayoutError;

const PLAIN: u8 = 0;
const PCO: u8 = 1;
const EVEN: u8 = 2;
const VARINT: u8 = 3;
const BITS: u8 = 4;
const NARROW: u8 = 5;

/// From so many rows on `pco` is worth its fixed cost (about 30 bytes and 2 us a column, measured).
const PCO_AXIS_FROM: usize = 96;
const PCO_VALUES_FROM: usize = 64;
/// From so many rows on `pco` looks for the best mode and differences (30 us a column at least, measured): a piece that is
/// smaller waits in a set and is encoded again when it is merged.
const PCO_SEARCH_FROM: usize = 2_048;

fn values_config(rows: usize) -> ChunkConfig {
    if rows >= PCO_SEARCH_FROM {
        ChunkConfig::default().with_compression_level(4)
    } else {
        ChunkConfig::default()
            .with_compression_level(2)
            .with_mode_spec(ModeSpec::Classic)
            .with_delta_spec(DeltaSpec::NoOp)
    }
}

/// The last column of steps or times that a decoder saw.
#[derive(Default)]
pub(super) struct Axis {
    layout: u8,
    bytes: bytes::Bytes,
    rows: Vec<i64>,
}

fn put_column(layout: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(layout);
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Steps and times: rising evenly, or differences.
pub(super) fn put_axis(rows: &[i64], out: &mut Vec<u8>) {
    let difference = match rows {
        [a, b, ..] => b.wrapping_sub(*a),
        _ => 0,
    };
    if rows.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == difference) {
        let mut bytes = [0_u8; 16];
        bytes[..8].copy_from_slice(&rows.first().copied().unwrap_or_default().to_le_bytes());
        bytes[8..].copy_from_slice(&difference.to_le_bytes());
        return put_column(EVEN, &bytes, out);
    }
    if rows.len() >= PCO_AXIS_FROM {
        let config = ChunkConfig::default()
            .with_compression_level(4)
            .with_mode_spec(ModeSpec::Classic)
            .with_delta_spec(DeltaSpec::TryConsecutive(1));
        if let Ok(bytes) = simple_compress(rows, &config) {
            return put_column(PCO, &bytes, out);
        }
    }
    let mut bytes = Vec::with_capacity(rows.len() * 2 + 8);
    let mut before = 0_i64;
    for row in rows {
        let difference = row.wrapping_sub(before);
        before = *row;
        let mut rest = ((difference << 1) ^ (difference >> 63)) as u64;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    put_column(VARINT, &bytes, out);
}

pub(super) fn get_axis(
    memo: &mut Axis,
    piece: &bytes::Bytes,
    column: &Column,
    count: usize,
) -> Result<Vec<i64>, LayoutError> {
    let bytes = piece.slice(column.at.clone());
    if memo.layout == column.layout && memo.rows.len() == count && memo.bytes == bytes {
        return Ok(memo.rows.clone());
    }
    let rows = axis_rows(column.layout, &bytes, count)?;
    if column.layout == PCO {
        *memo = Axis { layout: column.layout, bytes, rows: rows.clone() };
    }
    Ok(rows)
}

fn axis_rows(layout: u8, bytes: &[u8], count: usize) -> Result<Vec<i64>, LayoutError> {
    match layout {
        EVEN => {
            let words = bytes.as_chunks::<8>();
            let ([first, difference], []) = words else { return Err(fail("has an even column that is not 16 bytes")) };
            let (first, difference) = (i64::from_le_bytes(*first), i64::from_le_bytes(*difference));
            Ok((0..count as i64).map(|i| first.wrapping_add(difference.wrapping_mul(i))).collect())
        }
        PCO => unpack(bytes, count),
        VARINT => varints(bytes, count),
        _ => Err(fail("has a column layout that this build does not read")),
    }
}

fn varints(bytes: &[u8], count: usize) -> Result<Vec<i64>, LayoutError> {
    // A varint is a byte at least: what is declared is bounded by what is there.
    let mut rows = Vec::with_capacity(count.min(bytes.len()));
    let (mut before, mut word, mut shift) = (0_i64, 0_u64, 0_u32);
    for byte in bytes {
        if shift > 63 {
            return Err(fail("has a varint that is too long"));
        }
        word |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            before = before.wrapping_add((word >> 1) as i64 ^ -((word & 1) as i64));
            rows.push(before);
            (word, shift) = (0, 0);
        }
    }
    if rows.len() == count && shift == 0 { Ok(rows) } else { Err(fail("has a column of another length")) }
}

pub(super) fn put_values(values: &Values, out: &mut Vec<u8>) {
    match (values, Kind::of(values)) {
        (Values::F64(list), _) => put_f64(list, out),
        (Values::F32(list), _) => put_numbers(list, f32::to_le_bytes, out),
        (Values::I64(list), _) => put_numbers(list, i64::to_le_bytes, out),
        (Values::U64(list), _) => put_numbers(list, u64::to_le_bytes, out),
        (Values::Bool(list), _) => put_bits(list, out),
        (Values::Mixed(list), Kind::One(kind)) => {
            let mut one = Values::new(kind);
            list.iter().for_each(|value| one.push(*value));
            put_values(&one, out);
        }
        (Values::Mixed(list), Kind::Several) => {
            let mut bytes: Vec<u8> = list.iter().map(|value| value.column_type() as u8).collect();
            let bits: Vec<u64> = list.iter().map(|value| value.to_bits()).collect();
            put_numbers(&bits, u64::to_le_bytes, &mut bytes);
            put_column(PLAIN, &bytes, out);
        }
    }
}

fn put_numbers<T: Number, const N: usize>(list: &[T], to_le: fn(T) -> [u8; N], out: &mut Vec<u8>) {
    if list.len() >= PCO_VALUES_FROM
        && let Ok(bytes) = simple_compress(list, &values_config(list.len()))
    {
        return put_column(PCO, &bytes, out);
    }
    let bytes: Vec<u8> = list.iter().flat_map(|value| to_le(*value)).collect();
    put_column(PLAIN, &bytes, out);
}

/// Frameworks compute in f32 and log f64: such a column is stored as what it is, half as large and cheaper to pack.
fn put_f64(list: &[f64], out: &mut Vec<u8>) {
    let narrow: Vec<f32> = list
        .iter()
        .map_while(|v| Some(*v as f32).filter(|narrow| f64::from(*narrow).to_bits() == v.to_bits()))
        .collect();
    if narrow.len() < list.len() || list.is_empty() {
        return put_numbers(list, f64::to_le_bytes, out);
    }
    let mut bytes = Vec::with_capacity(list.len() * 4 + 8);
    put_numbers(&narrow, f32::to_le_bytes, &mut bytes);
    put_column(NARROW, &bytes, out);
}

fn put_bits(list: &[bool], out: &mut Vec<u8>) {
    let bytes: Vec<u8> = list
        .chunks(8)
        .map(|eight| eight.iter().enumerate().fold(0_u8, |byte, (i, bit)| byte | (u8::from(*bit) << i)))
        .collect();
    put_column(BITS, &bytes, out);
}

pub(super) fn get_values(kind: Kind, layout: u8, bytes: &[u8], count: usize) -> Result<Values, LayoutError> {
    Ok(match kind {
        Kind::One(ColumnType::F64) if layout == NARROW => {
            let (layout, bytes) = inner(bytes)?;
            Values::F64(numbers(layout, bytes, count, f32::from_le_bytes)?.into_iter().map(f64::from).collect())
        }
        Kind::One(ColumnType::F64) => Values::F64(numbers(layout, bytes, count, f64::from_le_bytes)?),
        Kind::One(ColumnType::F32) => Values::F32(numbers(layout, bytes, count, f32::from_le_bytes)?),
        Kind::One(ColumnType::I64) => Values::I64(numbers(layout, bytes, count, i64::from_le_bytes)?),
        Kind::One(ColumnType::U64) => Values::U64(numbers(layout, bytes, count, u64::from_le_bytes)?),
        Kind::One(ColumnType::Bool) => Values::Bool(bits(layout, bytes, count)?),
        Kind::Several => Values::Mixed(several(layout, bytes, count)?),
    })
}

fn numbers<T: Number, const N: usize>(
    layout: u8,
    bytes: &[u8],
    count: usize,
    from_le: fn([u8; N]) -> T,
) -> Result<Vec<T>, LayoutError> {
    match layout {
        PCO => unpack(bytes, count),
        PLAIN => match bytes.as_chunks::<N>() {
            (words, []) if words.len() == count => Ok(words.iter().map(|word| from_le(*word)).collect()),
            _ => Err(fail("has a column of another length")),
        },
        _ => Err(fail("has a column layout that this build does not read")),
    }
}

fn bits(layout: u8, bytes: &[u8], count: usize) -> Result<Vec<bool>, LayoutError> {
    if layout != BITS {
        return Err(fail("has a column layout that this build does not read"));
    }
    if bytes.len() != count.div_ceil(8) {
        return Err(fail("has a column of another length"));
    }
    Ok((0..count).map(|i| bytes[i / 8] >> (i % 8) & 1 == 1).collect())
}

fn several(layout: u8, bytes: &[u8], count: usize) -> Result<Vec<Value>, LayoutError> {
    if layout != PLAIN || bytes.len() < count + 5 {
        return Err(fail("has a column of another length"));
    }
    let (kinds, rest) = bytes.split_at(count);
    let (layout, rest) = inner(rest)?;
    let bits = numbers(layout, rest, count, u64::from_le_bytes)?;
    kinds.iter().zip(bits).map(|(kind, bits)| value_of(*kind, bits)).collect()
}

/// The column that a column holds: its layout and bytes.
fn inner(bytes: &[u8]) -> Result<(u8, &[u8]), LayoutError> {
    match bytes.split_first_chunk::<5>() {
        Some(([layout, len @ ..], rest)) if u32::from_le_bytes(*len) as usize == rest.len() => Ok((*layout, rest)),
        _ => Err(fail("has a column of another length")),
    }
}

fn unpack<T: Number>(bytes: &[u8], count: usize) -> Result<Vec<T>, LayoutError> {
    // `count` is at most PIECE_POINTS_MAX.
    let mut rows = vec![T::default(); count];
    match simple_decompress_into(bytes, &mut rows) {
        Ok(progress) if progress.finished && progress.n_processed == count => Ok(rows),
        Ok(_) => Err(fail("has a column of another length")),
        Err(_) => Err(fail("has a column that does not unpack")),
    }
}
