//! One commit: which records, what they write, and what is known once it is durable.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::Ordering;

use bytes::Bytes;
use corral_domain::{
    Envelope, EventType, Micros, Offset, OrganizationId, ProjectId, StreamKey, StreamKind, WriterRange,
};
use corral_event_log::{Batch, Record};
use corral_hub::{Message, Nudge};
use corral_read_store::layout::{KeyBytes, Row};
use corral_read_store::project::{self, DeadLetterRow};
use corral_read_store::series::{self, DirectoryRow};
use corral_read_store::state::Replaced;
use corral_read_store::{Key, Mutation, Range, Table, Write, WriteBatch, run as run_rows, tail};

use super::Runner;
use super::ahead::Who;
use super::streams::Stream;
use crate::policy::{Halt, Refused, Verdict};
use crate::run::{Arrived, Rowset, Run};
use crate::seal::{SETS, TAIL};
use crate::{load, project as names};

/// What one commit gathers.
#[derive(Default)]
struct Gathered {
    /// Of the record under way.
    rows: Rowset,
    derived: Vec<Mutation>,
    /// Streams whose state moved, and the offset of the last event that moved it.
    touched: BTreeMap<StreamKey, Offset>,
    turned: BTreeSet<StreamKey>,
}

/// A commit that is ready to be written.
pub(crate) struct Prepared {
    /// The record that the next commit begins with.
    pub(crate) at: usize,
    pub(crate) next: Offset,
    pub(crate) batch: WriteBatch,
    touched: BTreeMap<StreamKey, Offset>,
    deleted: Vec<(StreamKey, u64, u8)>,
}

impl Runner {
    /// Applies records from `from` on, as many as may be one commit.
    pub(crate) async fn prepare(&mut self, batch: &Batch, from: usize) -> Result<Prepared, Halt> {
        let mut gathered = Gathered::default();
        let records_max = match &mut self.dice {
            Some(dice) => 1 + dice.below(self.handles.limits.commit_records_max.min(64) as u64) as usize,
            None => self.handles.limits.commit_records_max,
        };
        let (mut at, mut bytes, mut next) = (from, 0, self.next);
        while at < batch.records.len() && at - from < records_max && bytes < self.handles.limits.commit_bytes_max {
            let record = &batch.records[at];
            self.hole_before |= batch.holes.iter().any(|hole| hole.from < record.offset);
            match self.apply(record, &mut gathered).await {
                Ok(true) => {}
                Ok(false) => break,
                // What came before is good: it is committed first, then this record stops the partition.
                Err(Halt::Stop(_)) if at > from => break,
                Err(halt) => return Err(halt),
            }
            bytes += record.bytes.len();
            next = record.offset.next();
            self.complete_through = self.complete_through.max(record.append_time);
            at += 1;
        }
        if at == batch.records.len() {
            next = batch.next;
            // Holes behind the last record, too.
            self.hole_before |= !batch.holes.is_empty();
        }
        self.gathered(gathered, at, next).await
    }

    /// False: the record belongs into the next commit.
    async fn apply(&mut self, record: &Record, gathered: &mut Gathered) -> Result<bool, Halt> {
        let envelope = match corral_event_codec::decode_envelope(&record.bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                self.dead(record, Refused::unreadable(error.to_string()), gathered)?;
                return Ok(true);
            }
        };
        if envelope.min_reader_version > corral_domain::envelope::READER_VERSION {
            let version = envelope.min_reader_version;
            return Err(Halt::Stop(format!("offset {}: needs a reader of version {version}", record.offset)));
        }
        if envelope.codec != 0 || !envelope.sealed_with.is_empty() {
            return Err(Halt::Stop(format!("offset {}: its payload is encoded or sealed", record.offset)));
        }
        let stream = envelope.stream.clone();
        self.load(&stream, record.offset).await?;
        if gathered.turned.contains(&stream) && self.may_turn(&stream, &envelope) {
            return Ok(false);
        }
        let before = self.streams.get(&stream).map(|cached| cached.stream.applied_through());
        let verdict = self.project(&stream, &envelope, record, gathered).await?;
        let rows = last_of_each(std::mem::take(&mut gathered.rows));
        if before != self.streams.get(&stream).map(|cached| cached.stream.applied_through()) {
            let ts = self.timestamp(record.offset);
            gathered.derived.extend(rows.into_iter().map(|(key, value)| Mutation::one(key, value, ts)));
            gathered.touched.insert(stream, record.offset);
        }
        match verdict {
            Verdict::Applied => {
                self.bad_in_a_row = 0;
                self.status.applied.fetch_add(1, Ordering::Relaxed);
                if let Some(range) = envelope.writer {
                    self.ahead.applied(|| who(&envelope, range));
                }
            }
            Verdict::Ahead => self.skipped_ahead(&envelope, record.offset),
            Verdict::Skipped => {
                self.status.skipped.fetch_add(1, Ordering::Relaxed);
            }
            Verdict::DeadLetter(refused) => self.dead(record, refused, gathered)?,
        }
        Ok(true)
    }

    async fn project(
        &mut self,
        stream: &StreamKey,
        envelope: &Envelope,
        record: &Record,
        gathered: &mut Gathered,
    ) -> Result<Verdict, Halt> {
        let rows = &mut gathered.rows;
        let limits = &self.handles.limits;
        let run = match self.streams.get_mut(stream).map(|cached| &mut cached.stream) {
            Some(Stream::Organization(names)) => {
                let stamp = envelope.append_time(record.append_time);
                return Ok(names.apply(envelope, record.offset, stamp, rows));
            }
            Some(Stream::Run(run)) => run,
            None => return Ok(Verdict::DeadLetter(Refused::content("no projection knows this stream"))),
        };
        let (offset, stamp) = (record.offset, envelope.append_time(record.append_time));
        let hole_before = envelope.after_hole(self.hole_before);
        let verdict = run.apply(&Arrived { envelope, offset, stamp, hole_before }, limits, rows);
        if verdict != Verdict::Applied || envelope.kind != EventType::RunItems {
            return Ok(verdict);
        }
        let mut turns = false;
        if run.can_merge(limits) && run.merge(&*self.handles.store, offset, limits, rows).await? {
            self.status.merges.fetch_add(1, Ordering::Relaxed);
            turns = true;
        }
        if run.is_full(limits) {
            run.seal(offset, limits, rows)?;
            self.status.seals.fetch_add(1, Ordering::Relaxed);
            turns = true;
        }
        if turns {
            run.turn();
            gathered.turned.insert(stream.clone());
        }
        Ok(verdict)
    }

    /// Whether the record might seal or finish a merge, by bounds that need no decoding (a point takes a byte at least).
    fn may_turn(&self, stream: &StreamKey, envelope: &Envelope) -> bool {
        let limits = &self.handles.limits;
        let Some(Stream::Run(run)) = self.streams.get(stream).map(|cached| &cached.stream) else { return false };
        let (head, bytes) = (&run.head, envelope.payload.len() as u64);
        // A set that this commit wrote cannot be read yet.
        run.due(limits).is_some()
            || head.tail_records + 1 >= limits.tail_records_max
            || head.tail_points + bytes >= limits.tail_points_max
            || head.tail_bytes + bytes >= limits.tail_bytes_max
    }

    fn skipped_ahead(&mut self, envelope: &Envelope, offset: Offset) {
        self.status.ahead.fetch_add(1, Ordering::Relaxed);
        let Some(range) = envelope.writer else { return };
        if self.ahead.skipped(who(envelope, range), offset) {
            let (partition, stream, first) = (self.partition.0, &envelope.stream, range.first);
            tracing::warn!(partition, %stream, writer = %range.writer, first, "items before these do not come: skipped");
        }
    }

    fn timestamp(&self, offset: Offset) -> u64 {
        (u64::from(self.handles.build.0) << 42) + offset.0
    }

    fn dead(&mut self, record: &Record, refused: Refused, gathered: &mut Gathered) -> Result<(), Halt> {
        self.bad_in_a_row = if refused.unreadable { self.bad_in_a_row + 1 } else { 0 };
        if self.bad_in_a_row > self.handles.limits.dead_letters_in_a_row_max {
            return Err(Halt::Stop(format!("offset {}: too many records in a row cannot be read", record.offset)));
        }
        tracing::warn!(partition = self.partition.0, offset = record.offset.0, reason = refused.reason, "dead letter");
        self.status.dead_letters.fetch_add(1, Ordering::Relaxed);
        let row =
            DeadLetterRow { append_time: record.append_time, reason: refused.reason, bytes: record.bytes.clone() };
        let key = project::dead_letter_key(self.partition, record.offset);
        gathered.derived.push(Mutation::one(key, Some(row.encode()), self.timestamp(record.offset)));
        Ok(())
    }

    async fn load(&mut self, stream: &StreamKey, offset: Offset) -> Result<(), Halt> {
        if self.streams.contains(stream) {
            return Ok(());
        }
        let (store, epoch) = (&*self.handles.store, self.handles.log.identity().log_epoch);
        let loaded = match stream.kind {
            StreamKind::Run => Stream::Run(Box::new(load::load(store, stream, epoch).await?)),
            StreamKind::Organization => Stream::Organization(Box::new(names::load(store, stream, epoch).await?)),
            StreamKind::Project => return Ok(()),
        };
        if loaded.applied_through() > offset {
            // Another projector was here first. What it applied this one skips, so its aggregates are needed too.
            self.projects.clear();
        }
        self.streams.insert(stream.clone(), loaded);
        Ok(())
    }
}

fn who(envelope: &Envelope, range: WriterRange) -> Who {
    (envelope.stream.clone(), range.writer, range.epoch, envelope.actor.as_str().to_owned())
}

/// A record may write a row several times, all at one timestamp: the last is what it wrote, and the store must not choose.
fn last_of_each(mut rows: Rowset) -> Rowset {
    let mut seen = HashSet::with_capacity(rows.len());
    rows.reverse();
    rows.retain(|(key, _)| seen.insert(key.clone()));
    rows.reverse();
    rows
}

/// What a commit adds to a project's aggregate.
#[derive(Default)]
struct Activity {
    created: Vec<Offset>,
    last: Offset,
    active: Micros,
}

impl Runner {
    async fn gathered(&mut self, gathered: Gathered, at: usize, next: Offset) -> Result<Prepared, Halt> {
        let Gathered { mut derived, touched, .. } = gathered;
        let (mut state, mut deleted) = (Vec::new(), Vec::new());
        let mut activity: BTreeMap<(OrganizationId, ProjectId), Activity> = BTreeMap::new();
        for (stream, offset) in &touched {
            let ts = self.timestamp(*offset);
            let Some(cached) = self.streams.get_mut(stream) else { continue };
            let rows = match &mut cached.stream {
                Stream::Run(run) => run.take_moved(),
                Stream::Organization(names) => names.take_moved(),
            };
            let write = |(key, value): (Key, Option<Bytes>)| Write { key, value, timestamp: ts };
            state.push(Mutation(rows.into_iter().map(write).collect()));
            let Stream::Run(run) = &mut cached.stream else { continue };
            let created = run.created.take();
            let Some(project) = run.head.project else { continue };
            let key = run_rows::head_key(run.organization, project, &run.id);
            derived.push(Mutation::one(key, Some(run.head_row().encode()), ts));
            let own = activity.entry((run.organization, project)).or_default();
            own.created.extend(created);
            own.last = own.last.max(*offset);
            own.active = own.active.max(run.head.append_time);
            self.deletes(stream, &mut derived, &mut deleted).await?;
        }
        for (project, own) in activity {
            self.project_stat(project, own, &mut derived).await?;
        }
        Ok(Prepared { at, next, batch: WriteBatch { derived, state }, touched, deleted })
    }

    /// A project's aggregate: each event counts once, whichever commits it was in.
    async fn project_stat(
        &mut self,
        (organization, id): (OrganizationId, ProjectId),
        own: Activity,
        derived: &mut Vec<Mutation>,
    ) -> Result<(), Halt> {
        let key = project::stat_key(organization, id, self.partition);
        let row = match self.projects.entry((organization, id)) {
            std::collections::btree_map::Entry::Occupied(row) => row.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let stored = self.handles.store.get(&key).await?;
                place.insert(stored.map(|bytes| Row::decode(&bytes)).transpose()?.unwrap_or_default())
            }
        };
        if own.last < row.through {
            return Ok(());
        }
        row.runs += own.created.iter().filter(|created| **created >= row.through).count() as u64;
        row.last_active = row.last_active.max(own.active);
        row.through = own.last.next();
        let ts = (u64::from(self.handles.build.0) << 42) + own.last.0;
        derived.push(Mutation::one(key, Some(row.encode()), ts));
        Ok(())
    }

    /// Deletes of rows that the state known to be durable has replaced a turn ago, at the event that replaced them.
    async fn deletes(
        &self,
        stream: &StreamKey,
        derived: &mut Vec<Mutation>,
        deleted: &mut Vec<(StreamKey, u64, u8)>,
    ) -> Result<(), Halt> {
        let Some(cached) = self.streams.get(stream) else { return Ok(()) };
        let Stream::Run(run) = &cached.stream else { return Ok(()) };
        for replaced in cached.deletable() {
            let ts = self.timestamp(replaced.offset);
            let keys = match replaced.kind {
                TAIL => self.tail_keys(run, replaced.number).await?,
                SETS => self.set_keys(run, replaced).await?,
                _ => return Err(Halt::Stop("the state names replaced rows of an unknown kind".to_owned())),
            };
            derived.extend(keys.into_iter().map(|key| Mutation::one(key, None, ts)));
            deleted.push((stream.clone(), replaced.turn, replaced.kind));
        }
        Ok(())
    }

    async fn tail_keys(&self, run: &Run, bucket: u32) -> Result<Vec<Key>, Halt> {
        let partition = tail::partition(run.organization, &run.id, bucket);
        if let Some(offsets) = run.replaced_tails.get(&bucket) {
            return Ok(offsets.iter().map(|offset| tail::key(partition.clone(), *offset)).collect());
        }
        let rows = load::rows(&*self.handles.store, Table::Tail, &partition, Range::default()).await?;
        let key = |clustering| Key { table: Table::Tail, partition: partition.clone(), clustering };
        Ok(rows.into_iter().map(|(clustering, _)| key(clustering)).collect())
    }

    async fn set_keys(&self, run: &Run, replaced: &Replaced) -> Result<Vec<Key>, Halt> {
        let (store, level) = (&*self.handles.store, replaced.number as u8);
        let partition = series::directory_partition(run.organization, &run.id);
        let mut keys = Vec::new();
        for number in &replaced.sets {
            let bound = |number: u32| series::directory_clustering(level, number, 0);
            let range = Range::between(bound(*number), bound(number.saturating_add(1)), 0);
            let (mut parts, mut blocks, mut whole) = (0, 0, false);
            for (clustering, value) in load::rows(store, Table::SetDirectory, &partition, range).await? {
                let row = DirectoryRow::decode(&value)?;
                whole |= row.last;
                parts += 1;
                blocks = row.entries.iter().map(|entry| entry.block + 1).max().unwrap_or(0).max(blocks);
                whole &= !row.last || row.part + 1 == parts;
                keys.push(Key { table: Table::SetDirectory, partition: partition.clone(), clustering });
            }
            if whole {
                let key = |block| series::block_key(run.organization, &run.id, level, *number, block);
                keys.extend((0..blocks).map(key));
                continue;
            }
            // Somebody has begun to delete it: what is left must be looked for.
            let partition = series::block_partition(run.organization, &run.id, level, *number);
            for (clustering, _) in load::rows(store, Table::SetBlock, &partition, Range::default()).await? {
                let clustering = KeyBytes::new().raw(&clustering).build();
                keys.push(Key { table: Table::SetBlock, partition: partition.clone(), clustering });
            }
        }
        Ok(keys)
    }

    /// What is true once the commit is durable.
    pub(crate) fn committed(&mut self, prepared: Prepared) {
        let Prepared { next, touched, deleted, .. } = prepared;
        self.next = next;
        for (stream, turn, kind) in deleted {
            if let Some(cached) = self.streams.get_mut(&stream) {
                cached.deleted.insert((turn, kind));
            }
        }
        self.status.offset.store(next.0, Ordering::Relaxed);
        self.status.complete_through_us.store(self.complete_through.0, Ordering::Relaxed);
        let partition = self.partition;
        for stream in touched.into_keys() {
            let Some(cached) = self.streams.get_mut(&stream) else { continue };
            cached.durable();
            let applied_through = cached.stream.applied_through();
            self.handles.hub.publish(Nudge { stream, partition, applied_through });
        }
        self.handles.hub.publish(Message::Checkpointed { partition, offset: next });
        self.streams.evict(&self.handles.limits);
    }
}
