//! Where each writer of a partition stands, so that what was appended twice can be left out: the deduplication stage, asked
//! as projections ask it, and kept beside the manifest.
//!
//! Knowing less is safe (a repeat is kept, and trimmed when it is read), so writers that were silent for longest are
//! forgotten beyond a bound, and what cannot be read starts over. Knowing more is not: what is kept counts only if all
//! that it knows of is in the archive.
//!
//! ```text
//! magic "CORRALAD" | version u16 | 0 u16 | entries u32 | through u64 | writers u32 |
//! writers: { stream bytes u16 | stream | writer 16 | epoch u32 | actor bytes u8 | actor | hw u64 } | crc32c u32
//! ```

use std::collections::HashMap;

use bytes::Bytes;
use corral_domain::envelope::READER_VERSION;
use corral_domain::limits::ARCHIVE_WRITERS_COUNT_MAX;
use corral_domain::{Actor, Envelope, EventType, Offset, StreamKind, WriterId};
use corral_projection::said::{Deduplication, Said};
use corral_segment::format::{u16_at, u32_at, u64_at};

use crate::catalogue::{sealed, unsealed};

const MAGIC: &[u8; 8] = b"CORRALAD";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 28;
/// The largest writer: its stream's key has at most 17 + 64 bytes, its actor 64.
const WRITER_BYTES_MAX: usize = 2 + 81 + 16 + 4 + 1 + 64 + 8;
pub(crate) const BYTES_MAX: u64 = (HEAD_BYTES + WRITER_BYTES_MAX * ARCHIVE_WRITERS_COUNT_MAX + 4) as u64;

#[derive(Default)]
struct Stream {
    writers: Deduplication,
    used: u64,
}

/// The writers of a partition, by stream.
#[derive(Default)]
pub(crate) struct Standings {
    streams: HashMap<Vec<u8>, Stream>,
    writers: usize,
    clock: u64,
}

impl Standings {
    /// Whether a record that lies behind no hole repeats what was applied, all of it. Records must come in log order.
    pub(crate) fn repeats(&mut self, envelope: &Envelope) -> bool {
        let readable = envelope.min_reader_version <= READER_VERSION
            && envelope.codec == 0
            && envelope.sealed_with.is_empty()
            && envelope.stream.kind == StreamKind::Run
            && envelope.kind == EventType::RunItems;
        let Some(range) = envelope.writer.filter(|_| readable) else { return false };
        self.clock += 1;
        let stream = self.streams.entry(envelope.stream.to_bytes()).or_default();
        stream.used = self.clock;
        let writer = (range.writer, range.epoch, envelope.actor.clone());
        let (known, before) = (stream.writers.in_order(&writer), stream.writers.writers());
        let said = stream.writers.say(envelope, false, false);
        self.writers += stream.writers.writers() - before;
        self.forget();
        matches!(said, Said::Skipped { .. }) && known.is_some_and(|hw| range.last <= hw)
    }

    /// Forgets streams that were silent for longest, a quarter more than must be.
    fn forget(&mut self) {
        if self.writers <= ARCHIVE_WRITERS_COUNT_MAX {
            return;
        }
        let mut streams: Vec<(u64, Vec<u8>)> =
            self.streams.iter().map(|(key, stream)| (stream.used, key.clone())).collect();
        streams.sort_unstable();
        for (_, key) in streams {
            if self.writers <= ARCHIVE_WRITERS_COUNT_MAX / 4 * 3 {
                break;
            }
            let gone = self.streams.remove(&key).map_or(0, |stream| stream.writers.writers());
            self.writers = self.writers.saturating_sub(gone);
        }
    }

    /// As they are behind `entries` entries that end at `through`.
    pub(crate) fn encode(&self, entries: u32, through: Offset) -> Bytes {
        let mut out = Vec::with_capacity(HEAD_BYTES + 128 * self.writers);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&entries.to_le_bytes());
        out.extend_from_slice(&through.0.to_le_bytes());
        let mut streams: Vec<_> = self.streams.iter().collect();
        streams.sort_unstable_by_key(|(key, stream)| (stream.used, *key));
        let sorted = |(key, stream): &(&'_ Vec<u8>, &'_ Stream)| {
            let mut writers: Vec<_> =
                stream.writers.all_in_order().map(|(w, hw)| (key.to_vec(), w.clone(), hw)).collect();
            writers.sort_unstable();
            writers
        };
        let writers: Vec<_> = streams.iter().flat_map(sorted).collect();
        out.extend_from_slice(&(writers.len() as u32).to_le_bytes());
        for (stream, (writer, epoch, actor), hw) in &writers {
            out.extend_from_slice(&(stream.len() as u16).to_le_bytes());
            out.extend_from_slice(stream);
            out.extend_from_slice(writer.as_bytes());
            out.extend_from_slice(&epoch.to_le_bytes());
            out.push(actor.as_str().len() as u8);
            out.extend_from_slice(actor.as_str().as_bytes());
            out.extend_from_slice(&hw.to_le_bytes());
        }
        sealed(out)
    }

    /// With how many entries it knew of, and where they ended.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, u32, Offset)> {
        let body = unsealed(bytes).filter(|body| body.len() >= HEAD_BYTES && body.starts_with(MAGIC))?;
        if u16_at(body, 8) != VERSION {
            return None;
        }
        let (entries, through, writers) = (u32_at(body, 12), Offset(u64_at(body, 16)), u32_at(body, 24));
        let mut standings = Self::default();
        let mut rest = &body[HEAD_BYTES..];
        for _ in 0..writers {
            standings.writer(&mut rest)?;
        }
        rest.is_empty().then_some((standings, entries, through))
    }

    fn writer(&mut self, rest: &mut &[u8]) -> Option<()> {
        let len = usize::from(u16_at(take(rest, 2)?, 0));
        let stream = take(rest, len)?.to_vec();
        let writer = WriterId::from_slice(take(rest, 16)?).ok()?;
        let epoch = u32_at(take(rest, 4)?, 0);
        let len = usize::from(*take(rest, 1)?.first()?);
        let actor: Actor = std::str::from_utf8(take(rest, len)?).ok()?.parse().ok()?;
        let hw = u64_at(take(rest, 8)?, 0);
        self.clock += 1;
        let stream = self.streams.entry(stream).or_default();
        stream.used = self.clock;
        let before = stream.writers.writers();
        stream.writers.go_on((writer, epoch, actor), hw);
        self.writers += stream.writers.writers() - before;
        Some(())
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests;
