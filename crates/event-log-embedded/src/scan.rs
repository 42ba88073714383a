//! Looks through a whole segment file: what can be served, where damage lies, what the batches prove of one another.
//!
//! A scan decides nothing. It walks the batches as they follow one another (offset, salt, CRC, hash of the batch before)
//! and, where one is not right, searches for the next valid one: so a damaged batch takes only itself away. Whether a
//! gap is a hole (it was acknowledged) or a torn tail is for `recover`, which also knows the marks.

use std::io;

use corral_domain::Micros;
use corral_segment::format::{BatchHead, DATA_START, Full, Hash, SegmentHeader, footer_digest, hash};

use crate::storage::StorageFile;
use crate::window::Window;

/// Distance between two entries of a segment's index.
pub(crate) const INDEX_BYTES: u64 = 64 * 1024;
/// How much of a segment a scan reads at once.
const SCAN_AHEAD_BYTES: usize = 1024 * 1024;

/// The batch that begins with `offset` stands at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) offset: u64,
    pub(crate) at: u64,
}

/// Offsets `[from, to)` that cannot be read, from `at` of the file.
#[derive(Clone)]
pub(crate) struct Gap {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) at: u64,
    /// What the batches before the gap come to, in case the segment is cut here.
    pub(crate) before: Sums,
}

/// What is known behind the last batch that was walked.
#[derive(Clone)]
pub(crate) struct Sums {
    pub(crate) last_hash: Hash,
    pub(crate) last_time: Micros,
    pub(crate) index_len: usize,
    pub(crate) full: Full,
}

/// What a segment file holds.
pub(crate) struct Scan {
    pub(crate) index: Vec<IndexEntry>,
    pub(crate) gaps: Vec<Gap>,
    /// The next offset, and its place in the file.
    pub(crate) end: u64,
    pub(crate) end_at: u64,
    pub(crate) sums: Sums,
    /// All below is durable, as the batches themselves prove.
    pub(crate) synced: u64,
    /// The footer was found: nothing is appended any more.
    pub(crate) sealed: bool,
    /// Something but zeros stands behind the end.
    pub(crate) dirty_tail: bool,
}

/// Scans a segment whose offsets lie below `below` (the base of the next one).
pub(crate) fn scan(file: &dyn StorageFile, header: &SegmentHeader, below: u64) -> io::Result<Scan> {
    let mut window = Window::new(file, header.salt, file.size()?, SCAN_AHEAD_BYTES);
    let mut walk = Walk::new(header);
    loop {
        let at = walk.scan.end_at;
        let followed = window.frame(at)?.is_some_and(|frame| walk.follow(&frame.head, frame.bytes, below));
        if walk.scan.sealed {
            return Ok(walk.scan);
        }
        if followed {
            continue;
        }
        // Nothing that follows: search behind this place for a batch that goes on from here or later.
        let Some((found_at, head)) = window.find(at + 1, walk.scan.end, below)? else {
            break;
        };
        walk.skip(found_at, &head);
    }
    walk.scan.dirty_tail = window.is_dirty(walk.scan.end_at)?;
    Ok(walk.scan)
}

struct Walk {
    scan: Scan,
    /// Hash that the next batch has to name; unknown behind damage.
    previous: Option<Hash>,
}

impl Walk {
    fn new(header: &SegmentHeader) -> Self {
        let full = Full::new(&header.encode());
        let sums = Sums { last_hash: header.previous, last_time: header.last_time, index_len: 0, full };
        let scan = Scan {
            index: Vec::new(),
            gaps: Vec::new(),
            end: header.base.0,
            end_at: DATA_START,
            sums,
            synced: header.base.0,
            sealed: false,
            dirty_tail: false,
        };
        Self { scan, previous: Some(header.previous) }
    }

    /// Takes the batch at the end if it follows what came before.
    fn follow(&mut self, head: &BatchHead, bytes: &[u8], below: u64) -> bool {
        let scan = &mut self.scan;
        let follows = head.first == scan.end
            && head.end() <= below
            && self.previous.is_none_or(|previous| previous == head.previous);
        if !follows {
            return false;
        }
        if head.is_footer {
            if scan.gaps.is_empty() && footer_digest(bytes) != scan.sums.full.finish() {
                tracing::error!(end = scan.end, "a segment's footer does not fit what stands before it");
            }
            scan.sealed = true;
            return true;
        }
        let far = scan.index.last().is_none_or(|last| scan.end_at - last.at >= INDEX_BYTES);
        if far || self.previous.is_none() {
            scan.index.push(IndexEntry { offset: head.first, at: scan.end_at });
        }
        let this = hash(bytes);
        scan.end = head.end();
        scan.end_at += bytes.len() as u64;
        scan.synced = scan.synced.max(head.synced);
        scan.sums.last_hash = this;
        scan.sums.last_time = head.last_time();
        scan.sums.index_len = scan.index.len();
        scan.sums.full.add(&this);
        self.previous = Some(this);
        true
    }

    /// Goes on at a batch behind damage.
    fn skip(&mut self, found_at: u64, head: &BatchHead) {
        let scan = &mut self.scan;
        scan.gaps.push(Gap { from: scan.end, to: head.first, at: scan.end_at, before: scan.sums.clone() });
        scan.end = head.first;
        scan.end_at = found_at;
        self.previous = None;
    }
}
