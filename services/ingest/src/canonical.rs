//! One NaN: every NaN of a column is made the canonical one before it is durable, so that equal points have equal bytes.
//!
//! Clients send canonical NaNs, so the payload is only looked at; it is rewritten where another one is found (a client
//! of somebody else's, or hardware that propagates payloads). Config and summary values are made canonical when they are
//! decoded, wherever that is.

use bytes::Bytes;
use corral_domain::{ColumnType, RunEntry};

const F64: u64 = 0x7ff8_0000_0000_0000;
const F32: u32 = 0x7fc0_0000;

/// True if a column changed: then the payload is to be encoded again.
pub fn make_canonical(entries: &mut [RunEntry]) -> bool {
    let mut changed = false;
    for entry in entries {
        let RunEntry::Points(group) = entry else { continue };
        for column in &mut group.columns {
            let canonical = match column.kind {
                ColumnType::F64 if has_other_f64(&column.values) => f64_canonical(&column.values),
                ColumnType::F32 if has_other_f32(&column.values) => f32_canonical(&column.values),
                _ => continue,
            };
            column.values = canonical;
            changed = true;
        }
    }
    changed
}

fn has_other_f64(bytes: &[u8]) -> bool {
    // Folded without a branch, so that it runs at the speed of memory.
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(false, |found, word| {
        let bits = u64::from_le_bytes(*word);
        found | ((bits & 0x7fff_ffff_ffff_ffff > 0x7ff0_0000_0000_0000) & (bits != F64))
    })
}

fn has_other_f32(bytes: &[u8]) -> bool {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().fold(false, |found, word| {
        let bits = u32::from_le_bytes(*word);
        found | ((bits & 0x7fff_ffff > 0x7f80_0000) & (bits != F32))
    })
}

fn f64_canonical(bytes: &[u8]) -> Bytes {
    let word = |word: &[u8; 8]| {
        let bits = u64::from_le_bytes(*word);
        if f64::from_bits(bits).is_nan() { F64 } else { bits }.to_le_bytes()
    };
    bytes.as_chunks::<8>().0.iter().flat_map(word).collect::<Vec<u8>>().into()
}

fn f32_canonical(bytes: &[u8]) -> Bytes {
    let word = |word: &[u8; 4]| {
        let bits = u32::from_le_bytes(*word);
        if f32::from_bits(bits).is_nan() { F32 } else { bits }.to_le_bytes()
    };
    bytes.as_chunks::<4>().0.iter().flat_map(word).collect::<Vec<u8>>().into()
}

#[cfg(test)]
mod tests;
