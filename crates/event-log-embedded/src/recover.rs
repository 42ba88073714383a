//! What is in a partition's directory when the log is opened, and what is done about it.
//!
//! First everything is surveyed, for all partitions, without writing (so that a newer format is refused untouched); then
//! each partition is repaired. Repairing is idempotent and touches little: the torn tail of the last segment is cut off,
//! leftovers of an interrupted trim or of a segment being made are removed. **Nothing that was acknowledged is ever cut**:
//! what the marks and the batches prove to have been durable, and cannot be read, is left where it is and named as a
//! hole, and what follows is served.

use std::io;
use std::sync::Arc;

use corral_domain::{Micros, Offset, Partition};
use corral_event_log::{Hole, LogError, LogIdentity};
use corral_segment::format::{DATA_START, Decoded, FOOTER_BATCH_BYTES, Full, HEADER_BYTES, Hash, SegmentHeader};

use crate::lane::{LaneState, Segment};
use crate::planted;
use crate::scan::{Scan, scan};
use crate::slots::{self, Found, Slot, SlotFile, SlotKind};
use crate::storage::{OpenMode, Storage, StorageFile};
use crate::window::Window;

pub(crate) const SEGMENT_SUFFIX: &str = ".seg";
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";
/// How much of an un-synced tail is written again at once.
const REWRITE_BYTES: usize = 1024 * 1024;

pub(crate) fn partition_dir(partition: u16) -> String {
    format!("p{partition:05}")
}
pub(crate) fn segment_path(partition: u16, base: u64) -> String {
    format!("{}/{base:020}{SEGMENT_SUFFIX}", partition_dir(partition))
}
pub(crate) fn start_path(partition: u16) -> String {
    format!("{}/start", partition_dir(partition))
}
pub(crate) fn synced_path(partition: u16) -> String {
    format!("{}/synced", partition_dir(partition))
}

/// A segment file as it was found.
struct Surveyed {
    base: u64,
    path: String,
    file: Arc<dyn StorageFile>,
    /// Header and content; nothing if both copies of the header are damaged.
    content: Option<(SegmentHeader, Scan)>,
    /// It is the last one, and nothing that was acknowledged is damaged behind its end.
    appendable: bool,
}

/// A partition's directory as it was found.
pub(crate) struct Survey {
    identity: LogIdentity,
    partition: u16,
    /// Files that a crash left behind.
    leftovers: Vec<String>,
    segments: Vec<Surveyed>,
    start: Option<SlotFile>,
    start_offset: u64,
    synced: Option<SlotFile>,
}

/// The segment that is appended to.
pub(crate) struct Active {
    pub(crate) file: Arc<dyn StorageFile>,
    pub(crate) header: SegmentHeader,
    /// Where the next batch goes.
    pub(crate) at: u64,
    pub(crate) full: Full,
    /// The file's length: zeros, reserved, from `at` on.
    pub(crate) allocated: u64,
    /// Something stands behind `at`: the file has to be cut there before it is written to.
    pub(crate) needs_reset: bool,
}

impl Active {
    fn at_end_of(segment: Surveyed) -> Option<io::Result<Self>> {
        let (header, Scan { end_at: at, sums, .. }) = segment.content?;
        let (file, full) = (segment.file, sums.full);
        let allocated = file.size();
        Some(allocated.map(|allocated| Self { file, header, at, full, allocated, needs_reset: false }))
    }
}

/// A partition that is ready.
pub(crate) struct Recovered {
    pub(crate) lane: LaneState,
    /// None: the next append makes a new segment.
    pub(crate) active: Option<Active>,
    pub(crate) last_time: Micros,
    pub(crate) last_hash: Hash,
    pub(crate) synced: SlotFile,
    pub(crate) start: Option<SlotFile>,
}

/// Looks at a partition's directory; writes nothing.
pub(crate) fn survey(storage: &dyn Storage, identity: LogIdentity, partition: u16) -> Result<Survey, LogError> {
    let dir = partition_dir(partition);
    let names = storage.list(&dir).map_err(|error| failed(&dir, &error))?;
    let start = read_slots(storage, &start_path(partition), SlotKind::Start, &identity)?;
    let synced = read_slots(storage, &synced_path(partition), SlotKind::Synced, &identity)?;
    let mut bases: Vec<u64> = names.iter().filter_map(|name| name.strip_suffix(SEGMENT_SUFFIX)?.parse().ok()).collect();
    bases.sort_unstable();
    let start_offset = match &start {
        Some(start) => start.current().a,
        // Both slots are damaged: what was trimmed is not known, so nothing before the first segment is called a hole.
        None if names.iter().any(|name| name == "start") => bases.first().copied().unwrap_or_default(),
        None => 0,
    };
    let temporary = names.iter().filter(|name| name.ends_with(TEMPORARY_SUFFIX)).map(|name| format!("{dir}/{name}"));
    let mut leftovers: Vec<String> = temporary.collect();
    let mut segments = Vec::new();
    for (index, base) in bases.iter().enumerate() {
        let below = bases.get(index + 1).copied();
        let path = segment_path(partition, *base);
        // A trim made its new start durable and was interrupted before it had removed all that lies below.
        if *base < start_offset && below.is_some_and(|below| below <= start_offset) {
            leftovers.push(path);
            continue;
        }
        segments.push(survey_segment(storage, (identity, partition), *base, below)?);
    }
    Ok(Survey { identity, partition, leftovers, segments, start, start_offset, synced })
}

fn survey_segment(
    storage: &dyn Storage,
    (identity, partition): (LogIdentity, u16),
    base: u64,
    below: Option<u64>,
) -> Result<Surveyed, LogError> {
    let path = segment_path(partition, base);
    let io_failed = |error: io::Error| failed(&path, &error);
    let file = storage.open(&path, OpenMode::Existing).map_err(io_failed)?;
    let mut start = [0; 2 * HEADER_BYTES];
    // A sector that cannot be read is a damaged header.
    let read = file.read_at(0, &mut start).unwrap_or(0);
    let content = match SegmentHeader::decode(&start[..read]) {
        Decoded::Newer(version) => return Err(newer(&path, version)),
        Decoded::Damaged => {
            let header = rescue_header(&*file, identity, partition, Offset(base)).map_err(io_failed)?;
            let scanned = header.map(|header| Ok((header, scan(&*file, &header, below.unwrap_or(u64::MAX))?)));
            scanned.transpose().map_err(io_failed)?
        }
        Decoded::Valid(header) => {
            let own = header.identity.log_id == identity.log_id && header.identity.partitions == identity.partitions;
            if !own || header.partition != partition || header.base.0 != base {
                return Err(LogError::Fatal(format!(
                    "{path} belongs to another log, partition or place: move it away"
                )));
            }
            Some((header, scan(&*file, &header, below.unwrap_or(u64::MAX)).map_err(io_failed)?))
        }
    };
    Ok(Surveyed { base, path, file, content, appendable: false })
}

/// What is needed of a header whose copies are both damaged: the salt also begins the first batch, and the footer.
fn rescue_header(
    file: &dyn StorageFile,
    identity: LogIdentity,
    partition: u16,
    base: Offset,
) -> io::Result<Option<SegmentHeader>> {
    let size = file.size()?;
    for at in [DATA_START, size.saturating_sub(FOOTER_BATCH_BYTES as u64)] {
        let mut salt = [0; 8];
        let read = file.read_at(at, &mut salt).unwrap_or(0);
        let salt = u64::from_le_bytes(salt);
        if read < 8 || salt == 0 {
            continue;
        }
        if let Some(frame) = Window::new(file, salt, size, FOOTER_BATCH_BYTES).frame(at)? {
            // Behind damage to the first batch no hash is known, and none is asked for.
            let (previous, last_time) = (frame.head.previous, Micros(i64::MIN));
            return Ok(Some(SegmentHeader { identity, partition, base, salt, previous, last_time, sparse: false }));
        }
    }
    Ok(None)
}

/// Reads a slot file of this log. Nothing if it is missing or damaged.
fn read_slots(
    storage: &dyn Storage,
    path: &str,
    kind: SlotKind,
    identity: &LogIdentity,
) -> Result<Option<SlotFile>, LogError> {
    match slots::read(storage, path, kind).map_err(|error| failed(path, &error))? {
        Found::Missing => Ok(None),
        Found::Damaged => {
            tracing::warn!(path, "both slots are damaged");
            Ok(None)
        }
        Found::Newer(version) => Err(newer(path, version)),
        Found::Slot(file) if file.current().log_id == identity.log_id => Ok(Some(file)),
        Found::Slot(_) => Err(LogError::Fatal(format!("{path} belongs to another log: move it away"))),
    }
}

/// Cuts what was never acknowledged, names what was and cannot be read, and makes the rest durable.
pub(crate) fn repair(storage: &dyn Storage, survey: Survey) -> Result<Recovered, LogError> {
    let (dir, partition) = (partition_dir(survey.partition), survey.partition);
    let io_failed = |error: io::Error| failed(&dir, &error);
    for path in &survey.leftovers {
        storage.remove(path).map_err(io_failed)?;
    }
    let mark = survey.synced.as_ref().map(SlotFile::current);
    let (identity, start) = (survey.identity, survey.start_offset);
    let mut assembly = Assembly::new(Partition(partition), start, known_synced(&survey));
    let (synced, start) = (survey.synced, survey.start);
    let mut last = None;
    let mut segments = survey.segments.into_iter().peekable();
    while let Some(mut segment) = segments.next() {
        let next_base = segments.peek().map(|next| next.base);
        segment.appendable = assembly.take(&mut segment, next_base)?;
        last = Some(segment);
    }
    // Segments may be gone altogether.
    assembly.hole_to(assembly.synced);
    if let Some(last) = &last {
        make_durable(last, assembly.synced).map_err(io_failed)?;
    }
    let active = last.filter(|last| last.appendable).and_then(Active::at_end_of).transpose().map_err(io_failed)?;
    // A process that was killed may have left names that are not durable yet.
    storage.sync_dir(&dir).map_err(io_failed)?;
    let last_time = assembly.last_time.max(mark.map_or(Micros(i64::MIN), |mark| Micros(mark.b as i64)));
    let tail = assembly.cursor.max(assembly.synced);
    let slot = Slot { log_id: identity.log_id, partition, a: tail, b: last_time.0 as u64 };
    let synced = mark_synced(storage, partition, synced, slot).map_err(io_failed)?;
    let Assembly { holes, segments, last_hash, start: from, .. } = assembly;
    let lane = LaneState { start: from, tail, segments, holes };
    Ok(Recovered { lane, active, last_time, last_hash, synced, start })
}

/// All below is known to have been durable: by the mark, by the batches, and because a segment follows only a whole one.
fn known_synced(survey: &Survey) -> u64 {
    let mark = survey.synced.as_ref().map(|file| file.current().a);
    let batches = survey.segments.iter().filter_map(|segment| Some(segment.content.as_ref()?.1.synced));
    let base = survey.segments.last().map(|segment| segment.base);
    batches.chain(mark).chain(base).max().unwrap_or_default().max(survey.start_offset)
}

fn mark_synced(storage: &dyn Storage, partition: u16, mark: Option<SlotFile>, slot: Slot) -> io::Result<SlotFile> {
    let Some(mut mark) = mark else {
        let mark = slots::create(storage, &synced_path(partition), SlotKind::Synced, slot)?;
        storage.sync_dir(&partition_dir(partition))?;
        return Ok(mark);
    };
    if mark.current() != slot {
        mark.write(slot)?;
    }
    // Also one that a killed process left in the page cache.
    mark.sync()?;
    Ok(mark)
}

/// Cuts the tail, and writes again what is not known to be on the disk: after a failed sync the page cache may hold
/// bytes that the disk never got, and they would be served, and lost.
fn make_durable(segment: &Surveyed, synced: u64) -> io::Result<()> {
    let Some((header, scan)) = &segment.content else {
        return Ok(());
    };
    let file = &*segment.file;
    if segment.appendable && scan.dirty_tail {
        file.truncate(scan.end_at)?;
    }
    if scan.end > synced {
        let entry = scan.index.partition_point(|entry| entry.offset <= synced).saturating_sub(1);
        let mut at = scan.index.get(entry).map_or(scan.end_at, |entry| entry.at);
        let mut window = Window::new(file, header.salt, scan.end_at, REWRITE_BYTES);
        while at < scan.end_at {
            match window.frame(at)? {
                Some(frame) => {
                    if frame.head.end() > synced {
                        file.write_at(at, frame.bytes)?;
                    }
                    at += frame.bytes.len() as u64;
                }
                None => at = window.find(at + 1, 0, u64::MAX)?.map_or(scan.end_at, |(found, _)| found),
            }
        }
    }
    file.sync()
}

/// Puts the segments of a partition one behind the other.
struct Assembly {
    partition: Partition,
    start: u64,
    synced: u64,
    /// The next offset.
    cursor: u64,
    holes: Vec<Hole>,
    segments: Vec<Segment>,
    last_time: Micros,
    last_hash: Hash,
}

impl Assembly {
    fn new(partition: Partition, start: u64, synced: u64) -> Self {
        let (holes, segments) = (Vec::new(), Vec::new());
        let (last_time, last_hash) = (Micros(i64::MIN), Hash::default());
        Self { partition, start, synced, cursor: start, holes, segments, last_time, last_hash }
    }

    /// Takes the next segment; true if it is the last one and can be appended to.
    fn take(&mut self, segment: &mut Surveyed, next_base: Option<u64>) -> Result<bool, LogError> {
        let path = &segment.path;
        if segment.base < self.cursor {
            let cursor = self.cursor;
            return Err(LogError::Fatal(format!(
                "{path} begins below offset {cursor}, where the segment before it ends"
            )));
        }
        self.hole_to(segment.base);
        let Some((header, scan)) = &mut segment.content else {
            tracing::error!(path, "both copies of a segment's header are damaged");
            let end = self.synced.max(segment.base);
            self.hole_to(next_base.unwrap_or(end));
            return Ok(false);
        };
        if header.previous != self.last_hash && !self.segments.is_empty() && self.holes.is_empty() {
            tracing::warn!(path, "the segment does not follow the one before it");
        }
        if next_base.is_none() {
            self.cut(scan);
        }
        for gap in &scan.gaps {
            self.cursor = gap.from;
            self.hole_to(gap.to);
        }
        self.cursor = scan.end;
        let (base, salt, path) = (segment.base, header.salt, path.clone());
        let index = scan.index.clone();
        self.segments.push(Segment { base, end: scan.end, end_at: scan.end_at, salt, path, index });
        self.last_time = self.last_time.max(header.last_time).max(scan.sums.last_time);
        self.last_hash = scan.sums.last_hash;
        // What was acknowledged behind the end is damaged and stays where it is; appends go to a new segment.
        let whole = next_base.is_none() && scan.end >= self.synced;
        self.hole_to(next_base.unwrap_or(self.synced));
        Ok(whole && !scan.sealed)
    }

    /// A gap that nothing proves to have been acknowledged is a torn tail, and so is all that follows it.
    fn cut(&mut self, scan: &mut Scan) {
        let planted = planted::bug(planted::TRUNCATE_AT_DAMAGE);
        let Some(torn) = scan.gaps.iter().position(|gap| gap.from >= self.synced || planted) else {
            return;
        };
        let gap = scan.gaps[torn].clone();
        if planted {
            self.synced = gap.from;
        }
        scan.gaps.truncate(torn);
        scan.index.truncate(gap.before.index_len);
        (scan.end, scan.end_at, scan.sums) = (gap.from, gap.at, gap.before);
        (scan.sealed, scan.dirty_tail) = (false, true);
    }

    fn hole_to(&mut self, to: u64) {
        if to <= self.cursor {
            return;
        }
        let (from, to) = (Offset(self.cursor), Offset(to));
        match self.holes.last_mut() {
            Some(last) if last.to == from => last.to = to,
            _ => self.holes.push(Hole { partition: self.partition, from, to }),
        }
        self.cursor = to.0;
    }
}

pub(crate) fn failed(path: &str, error: &io::Error) -> LogError {
    LogError::Fatal(format!("{path}: {error}"))
}

pub(crate) fn newer(path: &str, version: u16) -> LogError {
    let own = corral_segment::format::FORMAT_VERSION;
    LogError::Fatal(format!("{path} has format version {version}, this program knows {own}: use a newer one"))
}
