//! One schedule: who moves next is drawn from the seed.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use corral_domain::Offset;
use corral_event_log::Hole;
use corral_event_log::memory::MemoryLog;
use corral_read_store::state;
use corral_read_store::{MemoryStore, ReadStore};

use super::client::{Client, Wants};
use crate::dice::Dice;
use crate::limits::Limits;
use crate::testing::reader::{Answer, Reader, head_of};
use crate::testing::{self, Driven, Item, Logged, Moved, ONE, append, stream};

pub(super) const RUNS: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Plain,
    /// One run of many points.
    Big,
    /// Launches that open new takes, writers with labels.
    Takes,
    /// One record is damaged after it was acknowledged.
    Hole,
}

pub(super) struct World {
    pub(super) seed: u64,
    mode: Mode,
    dice: Dice,
    pub(super) log: Arc<MemoryLog>,
    pub(super) store: MemoryStore,
    /// By offset; `None` for a hole and for heartbeats.
    pub(super) logged: Vec<Option<Logged>>,
    pub(super) holes: Vec<u64>,
    lost: Option<Logged>,
    clients: Vec<Client>,
    /// On their way to the log: (client, connection, batch).
    air: Vec<(usize, usize, usize)>,
    projector: Driven,
    asleep: Vec<Driven>,
    readers: Vec<Reader>,
    pub(super) answers: Vec<(u8, Answer)>,
    pub(super) states: BTreeSet<u64>,
    pub(super) crashes: u64,
    pub(super) zombies: u64,
    pub(super) reloads: u64,
}

/// Runs of takes and labels are small, so that some of what is logged finds no place.
fn limits_of(mode: Mode) -> Limits {
    match mode {
        Mode::Takes => Limits { run_metrics_max: 3, run_series_max: 8, ..Limits::small() },
        _ => Limits::small(),
    }
}

impl World {
    pub(super) fn limits(&self) -> Limits {
        limits_of(self.mode)
    }

    pub(super) fn new(seed: u64, mode: Mode) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (log, store) = (testing::log(), MemoryStore::cql(seed));
        let projector = Driven::new(&log, &store, &limits_of(mode), seed);
        let mut clients = Vec::new();
        for run in 0..if mode == Mode::Big { 1 } else { RUNS } {
            let writers = 1 + dice.below(if mode == Mode::Takes { 3 } else { 2 }) as u8;
            clients.extend((0..writers).map(|writer| Client::new(run, run * 10 + writer + 1, mode, &mut dice)));
        }
        Self {
            seed,
            mode,
            dice,
            log,
            store,
            logged: Vec::new(),
            holes: Vec::new(),
            lost: None,
            clients,
            air: Vec::new(),
            projector,
            asleep: Vec::new(),
            readers: Vec::new(),
            answers: Vec::new(),
            states: BTreeSet::new(),
            crashes: 0,
            zombies: 0,
            reloads: 0,
        }
    }

    fn fresh(&mut self) -> Driven {
        // One that remembers nothing loads all the time, and so meets what others have written meanwhile.
        let streams_max = [0, 1, 4_096][self.dice.below(3) as usize];
        let commit_records_max = [1, 3, 12, 40][self.dice.below(4) as usize];
        let limits = Limits { commit_records_max, streams_max, ..self.limits() };
        Driven::new(&self.log, &self.store, &limits, self.dice.roll())
    }

    pub(super) async fn run(&mut self) {
        let crash = [5, 30, 100][self.dice.below(3) as usize];
        let (mut quiet, mut rounds) = (0, 0);
        while quiet <= 20 {
            rounds += 1;
            assert!(rounds < 40_000, "seed {}: no end", self.seed);
            let done = self.clients.iter().all(Client::is_done) && self.air.is_empty();
            if !done {
                self.clients_move().await;
            }
            if self.mode == Mode::Hole && self.holes.is_empty() && self.dice.below(10) == 0 {
                self.damage().await;
            }
            let idle = self.projector_moves(crash).await;
            self.others_move().await;
            quiet = if done && idle { quiet + 1 } else { 0 };
        }
        while self.store.apply_ghost() {}
        for mut zombie in std::mem::take(&mut self.asleep) {
            for _ in 0..30 {
                self.reloads += u64::from(zombie.go().await == Moved::Reloaded);
            }
        }
        while self.store.apply_ghost() {}
        let mut last = self.fresh();
        last.finish().await;
    }

    async fn clients_move(&mut self) {
        let mut at = self.dice.below(self.clients.len() as u64) as usize;
        if self.mode == Mode::Takes && self.dice.below(3) > 0 {
            // Openings that land late, after others have logged.
            at = self.clients.iter().position(|client| !client.is_done()).unwrap_or(at);
        }
        if let Wants::Send(connection, batch) = self.clients[at].step(&mut self.dice) {
            self.air.push((at, connection, batch));
        }
        if !self.air.is_empty() && self.dice.below(10) < 6 {
            let any = if self.dice.below(10) < 3 { self.dice.below(self.air.len() as u64) } else { 0 };
            let (client, connection, batch) = self.air.remove(any as usize);
            if self.dice.below(10) == 0 {
                // The produce failed and is made again.
                self.air.push((client, connection, batch));
                return;
            }
            let batch = &mut self.clients[client].connections[connection].batches[batch];
            let record = batch.record.clone();
            let offset = append(&self.log, record.bytes()).await;
            batch.offset = Some(offset.0);
            self.logged.push(Some(record));
        }
        if self.dice.below(40) == 0 {
            let run = self.dice.below(u64::from(RUNS)) as u8;
            let kind = corral_domain::EventType::RunHeartbeat;
            append(&self.log, testing::envelope(stream(run), kind, None, bytes::Bytes::new())).await;
            self.logged.push(None);
        }
    }

    /// True: there is nothing to do.
    async fn projector_moves(&mut self, crash: u64) -> bool {
        for _ in 0..self.dice.below(7) {
            let moved = self.projector.go().await;
            match moved {
                Moved::Idle => return true,
                Moved::Reloaded => self.reloads += 1,
                Moved::Committed => self.remember().await,
                Moved::Prepared | Moved::Wrote => {}
            }
            if self.projector.is_writing() && self.dice.below(1_000) < crash {
                self.crashes += 1;
                let fresh = self.fresh();
                let old = std::mem::replace(&mut self.projector, fresh);
                if self.dice.below(10) < 4 {
                    self.zombies += 1;
                    self.asleep.push(old);
                } else {
                    old.crash();
                }
            }
        }
        false
    }

    /// Zombies wake, ghosts arrive, readers look.
    async fn others_move(&mut self) {
        if !self.asleep.is_empty() && self.dice.below(4) == 0 {
            let at = self.dice.below(self.asleep.len() as u64) as usize;
            for _ in 0..[1, 5, 40][self.dice.below(3) as usize] {
                self.reloads += u64::from(self.asleep[at].go().await == Moved::Reloaded);
            }
            if self.dice.below(5) == 0 {
                self.asleep.remove(at);
            }
        }
        if self.dice.below(20) == 0 {
            self.store.apply_ghost();
        }
        if self.readers.len() < 3 && self.answers.len() < 12 && self.dice.below(10) == 0 {
            let run = self.dice.below(u64::from(RUNS)) as u8;
            self.readers.push(Reader::new(&self.store, run));
        }
        let mut at = 0;
        while at < self.readers.len() {
            if self.dice.below(2) == 0
                && let Some(answer) = self.readers[at].go().await
            {
                let reader = self.readers.swap_remove(at);
                self.answers.push((reader.run, answer));
                continue;
            }
            at += 1;
        }
    }

    async fn remember(&mut self) {
        let mut hasher = DefaultHasher::new();
        for run in 0..RUNS {
            self.store.get(&state::head_key(&stream(run))).await.expect("a get").hash(&mut hasher);
        }
        self.states.insert(hasher.finish());
    }

    /// A record of points that nobody has read yet cannot be read back any more.
    async fn damage(&mut self) {
        // A fresh projector begins at the checkpoint.
        let checkpoint = self.store.checkpoint(ONE).await.expect("a checkpoint").unwrap_or_default();
        let from = self.projector.next().0.max(checkpoint.offset.0);
        let nobody = self.asleep.is_empty() && self.store.ghosts() == 0 && !self.projector.is_writing();
        let end = self.logged.len() as u64;
        if !nobody || end < 7 || from >= end {
            return;
        }
        let offset = from + self.dice.below(end - from);
        let points = |record: &Logged| record.items.iter().all(|item| matches!(item, Item::Points(_)));
        let Some(record) = self.logged[offset as usize].clone().filter(points) else { return };
        for run in 0..RUNS {
            if head_of(&self.store, run).await.is_some_and(|head| head.applied_through.0 > offset) {
                return;
            }
        }
        if self.was_ahead(offset).await {
            return;
        }
        let hole = Hole { partition: ONE, from: Offset(offset), to: Offset(offset + 1) };
        self.log.damage(hole).expect("a hole");
        self.logged[offset as usize] = None;
        self.holes.push(offset);
        self.lost = Some(record);
        self.projector = self.fresh();
    }

    /// Whether derived rows of the offset or beyond are there already.
    async fn was_ahead(&self, offset: u64) -> bool {
        for table in corral_read_store::Table::ALL {
            let rows = self.store.dump(table, None, usize::MAX).await.expect("a dump");
            if rows.iter().any(|row| row.timestamp >= (5 << 42) + offset) {
                return true;
            }
        }
        false
    }

    /// What was acknowledged is there, once.
    pub(super) fn check_clients(&self) {
        for client in &self.clients {
            assert!(client.is_done());
            let mut hw = 0;
            let mut seen = BTreeSet::new();
            for record in self.logged.iter().flatten().filter(|record| record.writer == client.writer) {
                if record.first <= hw + 1 || !self.holes.is_empty() {
                    seen.extend(record.first..=record.last());
                    hw = hw.max(record.last());
                }
            }
            let lost = self.lost.iter().filter(|record| record.writer == client.writer);
            seen.extend(lost.flat_map(|record| record.first..=record.last()));
            assert!((1..=client.acked).all(|seq| seen.contains(&seq)), "seed {}: an item is lost", self.seed);
        }
    }
}
