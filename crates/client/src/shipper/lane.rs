//! One writer on its way to the server: what was sent, what was acknowledged, where to go on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use corral_domain::limits::RECORD_ITEMS_MAX;
use corral_spool::{Chunk, Cursor, GapNote, Spool, WriterIndex};
use corral_wire::proto;

use crate::batch::{BATCH_BYTES, Batch, Cut, build};
use crate::item::{NOTE_OPENED, OpenedNote};
use crate::shared::{LaneStatus, NewLane, OpenedRun, lock};

/// Between two batches of a lane that has little to say.
const LINGER_MS: u64 = 25;
const HEARTBEAT_AFTER_MS: u64 = 15_000;
/// How long a lane that was refused for a reason of its own keeps quiet.
const PARKED_MS: u64 = 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not in this connection yet.
    Closed,
    /// Its handshake was sent.
    Opening,
    /// Item 1 is to be sent, alone.
    Unopened,
    /// Item 1 was sent: its outcome says the take.
    Deciding,
    Live,
    /// Refused for good: nothing of it will be sent.
    Dead,
}

struct InFlight {
    first: u64,
    last: u64,
    bytes: usize,
}

pub(crate) struct Lane {
    spool: Arc<Spool>,
    writer: WriterIndex,
    status: Arc<LaneStatus>,
    handle: u32,
    phase: Phase,
    opened: Option<OpenedNote>,
    cursor: Cursor,
    chunk: Chunk,
    chunk_at: usize,
    in_flight: VecDeque<InFlight>,
    /// After a refusal: nothing is sent until all in flight is answered, then on from here.
    rewind: Option<u64>,
    /// Up to here one entry a batch, to find the one that is refused.
    single_until: u64,
    not_before_ms: u64,
    next_send_ms: u64,
    last_sent_ms: u64,
    /// The last look found more than it took.
    behind: bool,
}

/// What a refusal means for a lane.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It will be sent again.
    Again,
    /// An item was replaced by a gap; says which and why.
    Replaced(u64),
    /// The lane keeps quiet for a while.
    Parked,
}

impl Lane {
    pub(super) fn new(new: NewLane, handle: u32) -> Self {
        let notes = new.spool.notes(new.writer).unwrap_or_default();
        let opened = notes.iter().rev().find(|(kind, _)| *kind == NOTE_OPENED);
        Self {
            opened: opened.and_then(|(_, bytes)| OpenedNote::decode(bytes)),
            cursor: Cursor::new(new.writer, 1),
            spool: new.spool,
            writer: new.writer,
            status: new.status,
            handle,
            phase: Phase::Closed,
            chunk: Chunk::default(),
            chunk_at: 0,
            in_flight: VecDeque::new(),
            rewind: None,
            single_until: 0,
            not_before_ms: 0,
            next_send_ms: 0,
            last_sent_ms: 0,
            behind: true,
        }
    }

    pub(super) fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }
    pub(super) fn handle(&self) -> u32 {
        self.handle
    }
    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Dead || self.spool.reach(self.writer).is_none()
    }
    pub(super) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// A new connection knows nothing of what was in flight.
    pub(super) fn disconnected(&mut self) {
        if self.phase != Phase::Dead {
            self.phase = Phase::Closed;
        }
        self.in_flight.clear();
        self.rewind = None;
        self.not_before_ms = 0;
    }

    /// Gives its place in the list up: somebody else's.
    pub(super) fn let_go(&mut self) {
        self.phase = Phase::Dead;
    }

    pub(super) fn open(&mut self, actor: &str) -> Option<proto::OpenWriter> {
        let summary = self.spool.writer(self.writer)?;
        self.phase = Phase::Opening;
        let acked = summary.acked_seq;
        Some(proto::OpenWriter {
            handle: self.handle,
            run_id: summary.identity.run_id,
            writer_id: summary.identity.writer_id.to_vec().into(),
            writer_epoch: summary.identity.epoch,
            last_acked_seq: acked,
            acked_log_epoch: if acked == 0 { 0 } else { summary.acked_epoch },
            acked_actor: if acked == 0 { String::new() } else { actor.to_owned() },
        })
    }

    /// The door says where to go on.
    pub(super) fn ready(&mut self, resume_from: u64, log_epoch: u32) {
        if self.phase != Phase::Opening {
            return;
        }
        let _ = self.spool.ack(self.writer, resume_from.saturating_sub(1), log_epoch);
        self.status.durable.store(resume_from.saturating_sub(1), Ordering::Relaxed);
        let known = resume_from > 1 && self.opened.is_some();
        self.phase = if known { Phase::Live } else { Phase::Unopened };
        // Without a known take, item 1 is sent again: sending again is always safe, and its outcome is kept.
        self.go_to(if known { resume_from } else { 1 });
    }

    fn go_to(&mut self, seq: u64) {
        self.cursor = Cursor::new(self.writer, seq);
        self.chunk.clear();
        self.chunk_at = 0;
        self.behind = true;
    }

    /// The outcome of item 1.
    pub(super) fn opening(&mut self, how: &'static str, take: u32, next_step: i64) {
        let note = OpenedNote { take, next_step };
        if self.opened != Some(note) {
            let _ = self.spool.note(self.writer, NOTE_OPENED, &note.encode());
        }
        self.opened = Some(note);
        *lock(&self.status.opened) = Some(OpenedRun::Opened { how, take, next_step });
        if self.phase == Phase::Deciding {
            self.phase = Phase::Live;
            let acked = self.spool.reach(self.writer).map_or(1, |(_, acked)| acked);
            self.go_to(acked.max(1) + 1);
        }
    }

    /// The run was not opened: nothing of this writer will ever be taken. Returns the bytes of the window that are free.
    pub(super) fn refuse(&mut self, why: String) -> usize {
        *lock(&self.status.opened) = Some(OpenedRun::Refused(why));
        let epoch = self.spool.writer(self.writer).map_or(0, |summary| summary.acked_epoch);
        let _ = self.spool.ack(self.writer, u64::MAX - 1, epoch);
        let _ = self.spool.close_writer(self.writer);
        self.phase = Phase::Dead;
        self.in_flight.drain(..).map(|sent| sent.bytes).sum()
    }

    pub(super) fn run_id(&self) -> String {
        self.spool.writer(self.writer).map(|summary| summary.identity.run_id).unwrap_or_default()
    }

    /// Returns how many bytes of the window are free again.
    pub(super) fn acked(&mut self, seq: u64, log_epoch: u32) -> usize {
        let _ = self.spool.ack(self.writer, seq, log_epoch);
        self.status.durable.fetch_max(seq, Ordering::Relaxed);
        let mut bytes = 0;
        while self.in_flight.front().is_some_and(|sent| sent.last <= seq) {
            bytes += self.in_flight.pop_front().map_or(0, |sent| sent.bytes);
        }
        self.rewound();
        bytes
    }

    fn rewound(&mut self) {
        if self.in_flight.is_empty()
            && let Some(seq) = self.rewind.take()
        {
            self.go_to(seq);
        }
    }

    /// A batch (or, with `first` 0, the handshake) was refused. Returns the bytes of the window that are free again.
    pub(super) fn refused(
        &mut self,
        (first, last): (u64, u64),
        error: &proto::ErrorInfo,
        why: &str,
        now_ms: u64,
    ) -> (Verdict, usize) {
        let at = self.in_flight.iter().position(|sent| sent.first == first);
        let bytes = at.and_then(|at| self.in_flight.remove(at)).map_or(0, |sent| sent.bytes);
        let known_as_item = matches!(&error.reason[..], "FIELD_INVALID" | "FIELD_UNSUPPORTED" | "MESSAGE_TOO_LARGE");
        let mut verdict = Verdict::Again;
        match self.phase {
            Phase::Deciding => self.phase = Phase::Unopened,
            // Said again when its time has come, in this connection.
            Phase::Opening if first == 0 => self.phase = Phase::Closed,
            _ => {}
        }
        if let Some(after) = error.retry_after_ms {
            self.not_before_ms = now_ms + after.min(PARKED_MS);
        } else if first == 0 || !(known_as_item || error.reason == "SEQ_GAP") {
            self.not_before_ms = now_ms + PARKED_MS;
            verdict = Verdict::Parked;
        } else if known_as_item && self.rewind.is_none() {
            let item = error.item_index.map(|index| first.saturating_add(index)).filter(|item| *item <= last);
            match item.or_else(|| (first == last).then_some(first)) {
                Some(item) => {
                    let gap = GapNote { to: item, detail: why.chars().take(200).collect::<String>().into_bytes() };
                    let _ = self.spool.replace(self.writer, item, gap);
                    verdict = Verdict::Replaced(item);
                }
                None => self.single_until = last,
            }
        }
        let from = if first == 0 { None } else { Some(error.expected_seq.unwrap_or(first).min(first)) };
        self.rewind = [self.rewind, from].into_iter().flatten().min();
        self.rewound();
        (verdict, bytes)
    }

    fn may_send(&self, now_ms: u64) -> bool {
        matches!(self.phase, Phase::Unopened | Phase::Live) && self.rewind.is_none() && now_ms >= self.not_before_ms
    }

    /// True if a handshake may be sent now.
    pub(super) fn may_open(&self, now_ms: u64) -> bool {
        self.phase == Phase::Closed && now_ms >= self.not_before_ms
    }

    /// The next batch, if there is something to be sent now. `hurry`: do not wait for more.
    pub(super) fn next(&mut self, now_ms: u64, hurry: bool) -> Option<(proto::AppendBatch, usize)> {
        if !self.may_send(now_ms) || !(hurry || self.behind || now_ms >= self.next_send_ms) {
            return None;
        }
        let mut batch = self.next_of_chunk();
        if batch.is_none() {
            self.chunk.clear();
            self.chunk_at = 0;
            let items_max = RECORD_ITEMS_MAX as usize / 2;
            self.behind = self.spool.read(&mut self.cursor, &mut self.chunk, BATCH_BYTES, items_max).unwrap_or(false);
            batch = self.next_of_chunk();
        }
        let batch = batch?;
        if self.chunk_at >= self.chunk.items.len() && !self.behind {
            self.next_send_ms = now_ms + LINGER_MS;
        }
        self.last_sent_ms = now_ms;
        let bytes = batch.items.len();
        self.in_flight.push_back(InFlight { first: batch.first, last: batch.last, bytes });
        self.status.sent.fetch_max(batch.last, Ordering::Relaxed);
        let take = if batch.first == 1 { 0 } else { self.opened.unwrap_or_default().take };
        if batch.first == 1 {
            self.phase = Phase::Deciding;
        }
        Some((
            proto::AppendBatch {
                handle: self.handle,
                first_seq: batch.first,
                last_seq: batch.last,
                take,
                client_time_us: 0,
                items: batch.items.into(),
                trace: None,
            },
            bytes,
        ))
    }

    fn next_of_chunk(&mut self) -> Option<Batch> {
        let single = self.chunk.items.get(self.chunk_at).is_some_and(|item| item.seq <= self.single_until);
        let next_step = self.opened.unwrap_or_default().next_step;
        let (batch, taken) = build(&self.chunk, self.chunk_at, Cut { next_step, single })?;
        self.chunk_at += taken;
        Some(batch)
    }

    /// When this lane wants to be looked at again, if nothing happens before.
    pub(super) fn due_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Closed => Some(self.not_before_ms),
            Phase::Unopened | Phase::Live if self.rewind.is_none() => {
                let waiting = self.has_more().then(|| self.not_before_ms.max(self.next_send_ms));
                waiting.or_else(|| self.heartbeat_at())
            }
            _ => None,
        }
    }

    /// Something is in the spool that was not sent in this connection.
    pub(super) fn has_more(&self) -> bool {
        let unread = self.spool.reach(self.writer).is_some_and(|(last, _)| last >= self.cursor.next_seq());
        unread || self.chunk_at < self.chunk.items.len()
    }

    fn heartbeat_at(&self) -> Option<u64> {
        (self.phase == Phase::Live && self.in_flight.is_empty()).then(|| self.last_sent_ms + HEARTBEAT_AFTER_MS)
    }

    /// Adopted writers are dead: only a living process says that it lives.
    pub(super) fn heartbeat(&mut self, now_ms: u64) -> bool {
        let lives = self.spool.writer(self.writer).is_some_and(|summary| !summary.closed);
        let due = lives && self.heartbeat_at().is_some_and(|at| now_ms >= at);
        if due || self.heartbeat_at().is_some_and(|at| now_ms >= at) {
            self.last_sent_ms = now_ms;
        }
        due
    }
}
