//! A stream's state: what decides whether an event applies, in one store partition written as one batch.
//!
//! Rows of [`Table::State`] under the stream's key: the head at `h`, a writer at `w` + id + epoch + actor, an outcome at
//! `o` + command id. State may run ahead of the checkpoint: an event below `applied_through` goes to nobody.

use bytes::Bytes;
use corral_domain::{CommandId, LogEpoch, Micros, Offset, ProjectId, StreamKey, Take, WriterId};

use crate::layout::KeyBytes;
use crate::{Key, Table, part, row};

pub fn head_key(stream: &StreamKey) -> Key {
    key(stream, KeyBytes::new().u8(b'h'))
}
pub fn writer_key(stream: &StreamKey, writer: WriterId, epoch: u32, actor: &str) -> Key {
    key(stream, KeyBytes::new().u8(b'w').raw(writer.as_bytes()).u32(epoch).raw(actor.as_bytes()))
}
pub fn outcome_key(stream: &StreamKey, command: CommandId) -> Key {
    key(stream, KeyBytes::new().u8(b'o').raw(command.as_bytes()))
}
fn key(stream: &StreamKey, clustering: KeyBytes) -> Key {
    Key { table: Table::State, partition: stream.to_bytes().into(), clustering: clustering.build() }
}

row! {
    /// The head of a run's state.
    pub struct RunStateRow = 1 {
        /// State of another log epoch is never used.
        log_epoch: LogEpoch,
        /// Events below this offset go to nobody.
        applied_through: Offset,
        /// The last append time in this stream, made monotonic: max(stamp, the one before + 1 us).
        append_time: Micros,
        project: Option<ProjectId>,
        /// The living take; 0 before the run was opened.
        take: Take,
        /// The launch that opened the living take.
        launch_id: String,
        /// The last state event in the living take (`RunState` as a number).
        state: u8,
        /// The highest step seen in the living take + 1 (saturating), for items logged without a step after a resume.
        next_step: i64,
        /// Writers so far; each has its index by first appearance.
        writers: u32,
        /// Names in the run's metric dictionary, series and objects: a row at or above its count is from the future.
        metrics: u32,
        series: u32,
        objects: u64,
        /// Points in all.
        points: u64,
        /// Tail rows lie in bucket `seals`, from offset `sealed`.
        sealed: Offset,
        seals: u32,
        tail_points: u64,
        tail_records: u64,
        tail_bytes: u64,
        /// + 1 with each event that seals or finishes a merge.
        turn: u64,
        /// Merge credit in points, kept while some level has eight sets.
        credit: u64,
        levels: Vec<Level>,
        /// Rows that were replaced and may still be there.
        replaced: Vec<Replaced>,
    }
}

part! {
    /// One level of sets.
    pub struct Level {
        /// Pieces of this level with this number or above are not finished: ignore them.
        next: u32,
        /// The numbers of the sets that live, oldest first.
        sets: Vec<u32>,
        /// Series of the running merge of this level's first eight sets that are done (index into the sorted union).
        merged: u32,
    }
}

part! {
    /// Rows replaced at a turn, to be deleted once the state at `turn` is known durable and one turn has passed.
    pub struct Replaced {
        turn: u64,
        /// The event that replaced them: the timestamp of the deletes.
        offset: Offset,
        /// 0: the tail rows of bucket `number`; 1: the sets `sets` of level `number`.
        kind: u8,
        number: u32,
        sets: Vec<u32>,
    }
}

row! {
    /// One writer's place in a run.
    pub struct WriterRow = 1 {
        log_epoch: LogEpoch,
        /// The last applied seq.
        hw: u64,
        /// The offset of the event that moved it: the row's timestamp.
        offset: Offset,
        /// Index by first appearance in the run.
        index: u32,
        label: String,
        /// The take that its items go to; 0 where its opening was refused (its items are counted, not applied).
        take: Take,
        /// Metric ids registered so far (they count from 0).
        metrics: u32,
        /// Seqs skipped by a jump over a hole: `[from, to]`, sorted.
        open_ranges: Vec<(u64, u64)>,
        /// Items replaced by accepted gaps.
        gap_items: u64,
    }
}

row! {
    /// The head of the state of a stream without writers (an organization): `command_id` deduplicates.
    pub struct StreamStateRow = 1 {
        log_epoch: LogEpoch,
        applied_through: Offset,
        append_time: Micros,
    }
}

row! {
    /// An outcome, kept for seven days of append time. `body` is [`corral_domain::Outcome`] as `outcome.rs` lays it out.
    pub struct OutcomeRow = 1 {
        offset: Offset,
        append_time: Micros,
        kind: u8,
        won: u8,
        run: String,
        project: Option<ProjectId>,
        take: Take,
        next_step: i64,
    }
}

/// The writer's rows of a state partition start with this byte; outcomes with `o`, the head is `h`.
pub const WRITER_PREFIX: &[u8] = b"w";

/// Splits a writer row's clustering key into (writer, epoch, actor).
pub fn writer_of(clustering: &Bytes) -> Option<(WriterId, u32, String)> {
    let rest = clustering.strip_prefix(WRITER_PREFIX)?;
    let writer = WriterId::from_slice(rest.get(..16)?).ok()?;
    let epoch = u32::from_be_bytes(rest.get(16..20)?.try_into().ok()?);
    Some((writer, epoch, String::from_utf8(rest[20..].to_vec()).ok()?))
}
