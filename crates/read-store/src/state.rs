//! A stream's state: what decides whether an event applies, in one store partition written as one batch.
//!
//! Rows of [`Table::State`] under the stream's key, all of one stream written as one mutation: the head at `h`, a writer
//! at `w` + id + epoch + actor, an outcome at `o` + command id; of a run also what a decision or the run's head reads
//! (`i` what people set, `c` the config, `d` + name a metric's definition); of an organization `n` + name, who holds it.
//! State may run ahead of the checkpoint: an event below `applied_through` goes to nobody. Derived rows may run ahead of
//! the state: whatever is decided is decided from here.

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
pub fn info_key(stream: &StreamKey) -> Key {
    key(stream, KeyBytes::new().u8(b'i'))
}
pub fn config_key(stream: &StreamKey) -> Key {
    key(stream, KeyBytes::new().u8(b'c'))
}
pub fn def_key(stream: &StreamKey, name: &str) -> Key {
    key(stream, KeyBytes::new().u8(b'd').raw(name.as_bytes()))
}
pub fn name_key(stream: &StreamKey, name: &str) -> Key {
    key(stream, KeyBytes::new().u8(b'n').raw(name.as_bytes()))
}
fn key(stream: &StreamKey, clustering: KeyBytes) -> Key {
    Key { table: Table::State, partition: stream.to_bytes().into(), clustering: clustering.build() }
}

row! {
    /// The head of a run's state.
    pub struct RunStateRow = 2 {
        /// State of another log epoch is never used.
        log_epoch: LogEpoch,
        /// Events below this offset go to nobody.
        applied_through: Offset,
        /// The last append time in this stream, made monotonic: max(stamp, the one before + 1 us).
        append_time: Micros,
        project: Option<ProjectId>,
        /// The living take; 0 before the run was opened.
        take: Take,
        /// The launches that opened, joined or resumed the living take, latest last (`LAUNCHES_COUNT_MAX` of them).
        launches: Vec<Launch>,
        /// The last state event in the living take (`RunState` as a number).
        state: u8,
        /// The highest step seen in the living take + 1 (saturating), for items logged without a step after a resume.
        next_step: i64,
        /// The highest step of the living take; meaningless while it has no points.
        max_step: i64,
        /// Client time of the living take's earliest and latest point, us; meaningless while `points` is 0.
        first_point_us: i64,
        last_point_us: i64,
        /// Items that are missing or not whole, all writers: replaced by accepted gaps, or with something that found no place.
        gap_items: u64,
        /// Writers so far; each has its index by first appearance.
        writers: u32,
        /// Names in the run's metric dictionary, series and objects: a row at or above its count is from the future.
        metrics: u32,
        series: u32,
        objects: u64,
        /// Points of the living take.
        points: u64,
        /// The tail: the rows of bucket `seals` with offsets in [`sealed`, `applied_through`), and no others. A record
        /// without points has no tail row.
        sealed: Offset,
        seals: u32,
        tail_points: u64,
        tail_records: u64,
        tail_bytes: u64,
        /// + 1 with each event that seals or finishes a merge.
        turn: u64,
        /// Merge credit in points, kept while some level has eight sets.
        credit: u64,
        /// Index = level.
        levels: Vec<Level>,
        /// Rows that were replaced and may still be there.
        replaced: Vec<Replaced>,
    }
}

part! {
    /// A launch of the living take: all its writers begin at one step, whenever their openings land.
    pub struct Launch {
        id: String,
        /// 0 where it began the take, else the run's next step when it resumed the run last.
        step: i64,
    }
}

part! {
    /// One level of sets. `merged`, `parts` and `blocks` belong to the running merge of this level's first eight sets
    /// into one set of the next level.
    pub struct Level {
        /// Pieces (chunks, sets) made at this level with this number or above are not finished: ignore them.
        next: u32,
        /// The numbers of the sets that live, oldest first.
        sets: Vec<u32>,
        /// Series below this index are merged already.
        merged: u32,
        /// Directory rows and blocks that the running merge has written.
        parts: u32,
        blocks: u32,
    }
}

part! {
    /// Rows replaced at a turn, deleted once a state of turn + 1 is known to be durable; named until then.
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
        /// Items of its own that are missing or not whole.
        gap_items: u64,
        /// What its `RunFinished` named as its last seq; 0: it has not finished.
        finished_seq: u64,
    }
}

row! {
    /// What was set in a run, the last word of each (at `i`).
    pub struct RunInfoRow = 1 {
        name: String,
        notes: String,
        tags: Vec<String>,
        group: String,
        job_type: String,
        /// Who opened it first.
        actor: String,
        created: Micros,
        /// Append time of the last state event if that was an end, else 0.
        finished: Micros,
        exit_code: Option<i32>,
        message: String,
        /// Set by hand in the living take: key and JSON text, in order of first appearance.
        summary: Vec<(String, String)>,
    }
}

row! {
    /// Who holds a name of an organization's projects (at `n`); a row whose offset is not below the event's is from the
    /// future.
    pub struct NameRow = 1 {
        project: ProjectId,
        offset: Offset,
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
    /// An outcome, kept for seven days of append time; [`crate::outcome`] turns it into [`corral_domain::Outcome`].
    pub struct OutcomeRow = 1 {
        offset: Offset,
        append_time: Micros,
        /// 1 project name, 2 run opened, 3 run refused.
        kind: u8,
        /// Of a name: 1 if this command won it. Of a run: `Opening` or `Refusal` as a number.
        how: u8,
        run: String,
        project: Option<ProjectId>,
        take: Take,
        next_step: i64,
    }
}

/// First bytes of the clustering keys of a state partition.
pub const HEAD_PREFIX: &[u8] = b"h";
pub const INFO_PREFIX: &[u8] = b"i";
pub const CONFIG_PREFIX: &[u8] = b"c";
pub const DEF_PREFIX: &[u8] = b"d";
pub const NAME_PREFIX: &[u8] = b"n";
pub const OUTCOME_PREFIX: &[u8] = b"o";
pub const WRITER_PREFIX: &[u8] = b"w";

/// Splits a writer row's clustering key into (writer, epoch, actor).
pub fn writer_of(clustering: &Bytes) -> Option<(WriterId, u32, String)> {
    let rest = clustering.strip_prefix(WRITER_PREFIX)?;
    let writer = WriterId::from_slice(rest.get(..16)?).ok()?;
    let epoch = u32::from_be_bytes(rest.get(16..20)?.try_into().ok()?);
    Some((writer, epoch, String::from_utf8(rest[20..].to_vec()).ok()?))
}

#[cfg(test)]
mod tests;
