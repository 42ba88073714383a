//! Writing a set: blocks of pieces sorted by series, and their directory; full chunks leave for good.

use bytes::Bytes;
use corral_domain::{OrganizationId, RunId};
use corral_read_store::layout::Row;
use corral_read_store::piece::{Encoder, Points};
use corral_read_store::series::{self, BlockRow, DirectoryEntry, DirectoryRow};

use crate::limits::Limits;
use crate::run::Rowset;

/// Which set of which run is written.
#[derive(Clone, Copy)]
pub(crate) struct SetOf<'a> {
    pub(crate) organization: OrganizationId,
    pub(crate) run: &'a RunId,
    pub(crate) level: u8,
    pub(crate) number: u32,
}

/// A set, or the part of one that a step of a merge writes.
pub(crate) struct SetWriter<'a> {
    of: SetOf<'a>,
    limits: &'a Limits,
    parts: u32,
    blocks: u32,
    pieces: Vec<(u32, Bytes)>,
    bytes: usize,
    entries: Vec<DirectoryEntry>,
    encoder: Encoder,
}

impl<'a> SetWriter<'a> {
    /// `from`: directory rows and blocks that earlier steps have written.
    pub(crate) fn new(of: SetOf<'a>, limits: &'a Limits, from: (u32, u32)) -> Self {
        Self {
            of,
            limits,
            parts: from.0,
            blocks: from.1,
            pieces: Vec::new(),
            bytes: 0,
            entries: Vec::new(),
            encoder: Encoder::default(),
        }
    }

    /// Adds a series' points, series by series in their order.
    pub(crate) fn add(&mut self, index: u32, mut points: Points, out: &mut Rowset) {
        let SetOf { organization, run, level, number } = self.of;
        let mut i = 0;
        while points.len() >= self.limits.chunk_points {
            let chunk = points.split_front(self.limits.chunk_points);
            let partition = series::chunk_partition(organization, run, index);
            out.push((series::chunk_key(partition, level, number, i), Some(self.encoder.encode(&chunk))));
            i += 1;
        }
        if points.is_empty() {
            return;
        }
        let piece = self.encoder.encode(&points);
        if !self.pieces.is_empty() && self.bytes + piece.len() > self.limits.set_block_bytes_max {
            self.flush_block(out);
        }
        if self.entries.len() >= self.limits.directory_entries_max {
            self.flush_part(false, out);
        }
        self.bytes += piece.len();
        self.entries.push(DirectoryEntry { series: index, points: points.len() as u32, block: self.blocks });
        self.pieces.push((index, piece));
    }

    fn flush_block(&mut self, out: &mut Rowset) {
        if self.pieces.is_empty() {
            return;
        }
        let row = BlockRow { pieces: std::mem::take(&mut self.pieces) };
        let SetOf { organization, run, level, number } = self.of;
        out.push((series::block_key(organization, run, level, number, self.blocks), Some(row.encode())));
        self.blocks += 1;
        self.bytes = 0;
    }

    /// A part without entries can only be the last: it stands behind all others.
    fn flush_part(&mut self, last: bool, out: &mut Rowset) {
        let entries = std::mem::take(&mut self.entries);
        let none = if self.parts == 0 { 0 } else { u32::MAX };
        let from = entries.first().map_or(none, |entry| entry.series);
        let row = DirectoryRow { part: self.parts, last, entries };
        let SetOf { organization, run, level, number } = self.of;
        out.push((series::directory_key(organization, run, level, number, from), Some(row.encode())));
        self.parts += 1;
    }

    /// Everything that was added has its rows then. Returns (parts, blocks) so far.
    pub(crate) fn end(mut self, last: bool, out: &mut Rowset) -> (u32, u32) {
        self.flush_block(out);
        if last || !self.entries.is_empty() {
            self.flush_part(last, out);
        }
        (self.parts, self.blocks)
    }
}
