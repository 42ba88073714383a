//! Random schedules: processes that stall, die and come, clocks that run at other rates, a table that is slow, goes away and
//! does late what nobody waits for any more. After each event no partition may have two processes that believe in it; a
//! while after the last trouble each must have one, and the shares must be even.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use corral_domain::Partition;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use uuid::Uuid;

use super::Timing;
use super::machine::{Answer, Ask, Machine, Next};
use super::table::{MemberId, Rows};

/// Everything is counted in microseconds of one time that no process can see.
const SECOND: u64 = 1_000_000;
/// Within so long a partition has an owner again, counted from the last trouble.
const MOVED_US_MAX: u64 = 10 * SECOND;
const TROUBLE_US: u64 = 90 * SECOND;
const QUIET_US: u64 = 20 * SECOND;

pub(super) struct Sim {
    dice: SmallRng,
    timing: Timing,
    partitions: u16,
    now: u64,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    queued: BTreeMap<u64, Event>,
    next: u64,
    rows: Rows,
    processes: BTreeMap<u32, Process>,
    born: u32,
    /// The table answers nobody until then.
    away_until: u64,
    calm_since: u64,
    unowned_since: BTreeMap<Partition, u64>,
    pub(super) seen: Seen,
}

#[derive(Default)]
pub(super) struct Seen {
    pub(super) states: HashSet<u64>,
    pub(super) events: u64,
    pub(super) moves: u64,
    pub(super) evictions: u64,
    pub(super) longest_unowned_us: u64,
}

struct Process {
    machine: Machine,
    /// Its monotonic clock: `offset` and so many millionths of the time.
    offset: u64,
    rate: u64,
    frozen_until: u64,
    leaving: bool,
    /// The request that it waits for, and when its patience ends.
    asks: Option<(u64, Ask, Duration)>,
    running: BTreeSet<Partition>,
}

enum Event {
    Wake(u32),
    /// The table does it now, whoever still waits; (process, request).
    Apply(u32, u64, Ask),
    Answer(u32, u64, Answer),
    /// The request is not waited for any longer.
    GiveUp(u32, u64),
    Rested(u32, Partition),
    Trouble,
}

impl Process {
    fn clock(&self, now: u64) -> Duration {
        Duration::from_micros(self.offset + (u128::from(now) * u128::from(self.rate) / 1_000_000) as u64)
    }
    /// When its clock says `at`, or a little later.
    fn when(&self, at: Duration, now: u64) -> u64 {
        let left = at.saturating_sub(self.clock(now)).as_micros();
        now + (left * 1_000_000 / u128::from(self.rate)) as u64 + 1
    }
}

impl Sim {
    pub(super) fn new(seed: u64, timing: Timing) -> Self {
        let mut dice = SmallRng::seed_from_u64(seed);
        let partitions = dice.random_range(1..=6);
        let mut sim = Self {
            dice,
            timing,
            partitions,
            now: 0,
            events: BinaryHeap::new(),
            queued: BTreeMap::new(),
            next: 0,
            rows: Rows::default(),
            processes: BTreeMap::new(),
            born: 0,
            away_until: 0,
            calm_since: 0,
            unowned_since: (0..partitions).map(|partition| (Partition(partition), 0)).collect(),
            seen: Seen::default(),
        };
        for _ in 0..sim.dice.random_range(1..=4) {
            sim.birth();
        }
        sim.queue(SECOND, Event::Trouble);
        sim
    }

    /// To the end, or to the first thing that must not be.
    pub(super) fn run(&mut self) -> Result<(), String> {
        while self.now < TROUBLE_US + QUIET_US {
            let Some(Reverse((at, number))) = self.events.pop() else {
                let nobody_lives = self.processes.is_empty();
                return if nobody_lives { Ok(()) } else { Err("nothing happens any more".to_owned()) };
            };
            self.now = at;
            let event = self.queued.remove(&number).expect("an event that is queued");
            self.seen.events += 1;
            self.happen(event);
            self.check()?;
        }
        self.even()
    }

    fn queue(&mut self, after_us: u64, event: Event) {
        self.next += 1;
        self.events.push(Reverse((self.now + after_us, self.next)));
        self.queued.insert(self.next, event);
    }

    fn birth(&mut self) {
        self.born += 1;
        let (name, mut lives) = (self.born, 0_u64);
        let ids = Box::new(move || {
            lives += 1;
            MemberId(Uuid::from_u64_pair(u64::from(name), lives))
        });
        let process = Process {
            machine: Machine::new(self.timing, self.partitions, name.to_string(), ids),
            offset: self.dice.random_range(0..1_000 * SECOND),
            // Clocks of machines differ by far less than 1 in 50.
            rate: self.dice.random_range(980_000..1_020_000),
            frozen_until: 0,
            leaving: false,
            asks: None,
            running: BTreeSet::new(),
        };
        self.processes.insert(name, process);
        self.queue(1, Event::Wake(name));
    }

    fn happen(&mut self, event: Event) {
        let of = match &event {
            Event::Wake(name) | Event::Answer(name, ..) | Event::GiveUp(name, _) | Event::Rested(name, _) => {
                Some(*name)
            }
            Event::Apply(..) | Event::Trouble => None,
        };
        if let Some(frozen_until) = of.and_then(|name| self.processes.get(&name)).map(|process| process.frozen_until)
            && frozen_until > self.now
        {
            // What comes meanwhile waits for it, in its order.
            self.queue(frozen_until - self.now, event);
            return;
        }
        match event {
            Event::Wake(name) => self.step(name),
            Event::Apply(name, request, ask) => self.apply(name, request, ask),
            Event::Answer(name, request, answer) => self.answered(name, request, answer),
            Event::GiveUp(name, request) => self.answered(name, request, Answer::Failed),
            Event::Rested(name, partition) => {
                if let Some(process) = self.processes.get_mut(&name) {
                    process.machine.rested(partition, process.clock(self.now));
                    self.step(name);
                }
            }
            Event::Trouble => self.trouble(),
        }
    }

    /// As the driver does: tells runners, then asks or waits.
    fn step(&mut self, name: u32) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(&name) else { return };
        if process.asks.is_some() {
            return;
        }
        let clock = process.clock(now);
        if process.leaving {
            process.machine.leave(clock);
        }
        let next = process.machine.next(clock);
        let owned = process.machine.tell(clock);
        let lost: Vec<_> = process.running.difference(&owned).copied().collect();
        self.seen.moves += owned.difference(&process.running).count() as u64;
        process.running = owned;
        match next {
            Next::Gone => {
                self.seen.evictions += process.machine.figures(clock).evictions;
                self.processes.remove(&name);
                self.trouble_until(now);
            }
            Next::Wait(until) => {
                let at = process.when(until, now);
                self.queue(at - now, Event::Wake(name));
            }
            Next::Ask(ask) => {
                self.next += 1;
                let request = self.next;
                process.asks = Some((request, ask.clone(), clock));
                let patience = process.when(clock + self.timing.ask, now);
                self.queue(patience - now, Event::GiveUp(name, request));
                self.send(name, request, ask);
            }
        }
        for partition in lost {
            let after = self.dice.random_range(0..1_500_000);
            self.queue(after, Event::Rested(name, partition));
        }
    }

    fn send(&mut self, name: u32, request: u64, ask: Ask) {
        let after = match self.mishap() {
            Some(0) => return,
            // Done long after anybody waits for it.
            Some(_) => self.dice.random_range(0..30 * SECOND),
            None => self.dice.random_range(500..40_000),
        };
        let after = after.max(self.away_until.saturating_sub(self.now));
        if self.away_until > self.now && self.dice.random_range(0..2) == 0 {
            return;
        }
        self.queue(after, Event::Apply(name, request, ask));
    }

    /// Now and then something is lost on the way. It is trouble until nobody waits for it.
    fn mishap(&mut self) -> Option<u32> {
        if self.now >= TROUBLE_US || self.dice.random_range(0..250) > 0 {
            return None;
        }
        self.trouble_until(self.now + 2 * SECOND);
        Some(self.dice.random_range(0..2))
    }

    fn apply(&mut self, name: u32, request: u64, ask: Ask) {
        let answer = match ask {
            Ask::Join(member) => Answer::Done(self.rows.join(&member)),
            Ask::Beat { id, from } => Answer::Done(self.rows.beat(id, from)),
            Ask::Partitions => Answer::Partitions(self.rows.partitions.clone()),
            Ask::Members => Answer::Members(self.rows.members()),
            Ask::Remove { id, beat } => Answer::Done(self.rows.remove(id, beat)),
            Ask::Change { partition, term, owner } => Answer::Done(self.rows.change(partition, term, owner)),
        };
        if self.mishap().is_none() {
            let after = self.dice.random_range(500..40_000);
            self.queue(after, Event::Answer(name, request, answer));
        }
    }

    fn answered(&mut self, name: u32, request: u64, answer: Answer) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(&name) else { return };
        let Some((_, ask, started)) = process.asks.take_if(|(waiting, ..)| *waiting == request) else { return };
        let clock = process.clock(now);
        process.machine.answered(ask, answer, (started, clock));
        self.step(name);
    }

    fn trouble_until(&mut self, until: u64) {
        self.calm_since = self.calm_since.max(until);
    }

    fn trouble(&mut self) {
        if self.now >= TROUBLE_US {
            return;
        }
        let pause = self.dice.random_range(SECOND / 10..12 * SECOND);
        self.queue(pause, Event::Trouble);
        let names: Vec<u32> = self.processes.keys().copied().collect();
        let length = self.dice.random_range(SECOND / 10..20 * SECOND);
        let roll = self.dice.random_range(0..10);
        if names.is_empty() || (roll == 0 && names.len() < 6) {
            self.birth();
            self.trouble_until(self.now);
            return;
        }
        let name = names[self.dice.random_range(0..names.len())];
        match roll {
            0..=4 => {
                if let Some(process) = self.processes.get_mut(&name) {
                    process.frozen_until = process.frozen_until.max(self.now + length);
                    let until = process.frozen_until;
                    self.trouble_until(until);
                }
            }
            5 | 6 => {
                self.processes.remove(&name);
                self.trouble_until(self.now);
            }
            7 | 8 => {
                if let Some(process) = self.processes.get_mut(&name) {
                    process.leaving = true;
                }
                self.queue(0, Event::Wake(name));
                self.trouble_until(self.now);
            }
            _ => {
                self.away_until = self.now + length / 2;
                self.trouble_until(self.away_until);
            }
        }
    }

    /// What must hold after each event.
    fn check(&mut self) -> Result<(), String> {
        let mut owners: BTreeMap<Partition, Vec<u32>> = BTreeMap::new();
        for (name, process) in &self.processes {
            // One that is frozen believes too, as far as its own clock allows: it may be woken at any moment.
            for partition in process.machine.owned(process.clock(self.now)) {
                owners.entry(partition).or_default().push(*name);
            }
        }
        if let Some((partition, two)) = owners.iter().find(|(_, owners)| owners.len() > 1) {
            return Err(format!("at {} us partition {partition} has the owners {two:?}", self.now));
        }
        // Stalls of a whole member count as trouble until they end; births and ends of members do too.
        let lives = self.processes.values().any(|process| process.frozen_until <= self.now && !process.leaving);
        for (partition, since) in &mut self.unowned_since {
            if owners.contains_key(partition) || !lives {
                *since = self.now;
                continue;
            }
            let unowned = self.now - (*since).max(self.calm_since.min(self.now));
            self.seen.longest_unowned_us = self.seen.longest_unowned_us.max(unowned);
            if unowned > MOVED_US_MAX && self.calm_since <= self.now {
                return Err(format!("at {} us partition {partition} had no owner for {unowned} us", self.now));
            }
        }
        let mut hasher = DefaultHasher::new();
        // Beats and terms only rise: what is told apart is who has what, and who knows.
        for (partition, holding) in &self.rows.partitions {
            (partition, holding.owner, holding.term % 3).hash(&mut hasher);
        }
        self.rows.members.keys().collect::<Vec<_>>().hash(&mut hasher);
        for (name, process) in &self.processes {
            let asks = process.asks.as_ref().map(|(_, ask, _)| std::mem::discriminant(ask));
            (name, process.machine.shape(), asks, process.frozen_until > self.now).hash(&mut hasher);
        }
        self.seen.states.insert(hasher.finish());
        Ok(())
    }

    /// After the quiet: as even as can be.
    fn even(&self) -> Result<(), String> {
        let living: Vec<&Process> = self.processes.values().filter(|process| !process.leaving).collect();
        if self.now < self.calm_since + QUIET_US / 2 || living.is_empty() {
            return Ok(());
        }
        let shares: Vec<usize> = living.iter().map(|p| p.machine.owned(p.clock(self.now)).len()).collect();
        let all = usize::from(self.partitions);
        let (least, most) = (all / living.len(), all.div_ceil(living.len()));
        if shares.iter().sum::<usize>() == all && shares.iter().all(|share| (least..=most).contains(share)) {
            return Ok(());
        }
        Err(format!("{all} partitions are shared as {shares:?}"))
    }
}
