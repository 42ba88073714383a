//! A writer with its spool and its door: batches in flight, lost acknowledgements, resends with other bounds, gaps.

use std::collections::BTreeSet;

use corral_domain::run::Resume;

use crate::dice::Dice;
use crate::testing::{Item, Logged};

use super::world::Mode;

/// Items of one append; `offset` once it is durable.
pub(super) struct Batch {
    pub(super) record: Logged,
    pub(super) offset: Option<u64>,
}

/// One connection: what was sent through it may land long after it is gone.
pub(super) struct Connection {
    base: u64,
    last: u64,
    pub(super) batches: Vec<Batch>,
}

pub(super) struct Client {
    pub(super) run: u8,
    pub(super) writer: u8,
    pub(super) items: Vec<Item>,
    pub(super) acked: u64,
    pub(super) gaps: BTreeSet<u64>,
    pub(super) connections: Vec<Connection>,
    mode: Mode,
}

/// What a step of a client wants of the world.
pub(super) enum Wants {
    Nothing,
    /// (connection, batch) goes on its way to the log.
    Send(usize, usize),
}

impl Client {
    pub(super) fn new(run: u8, writer: u8, mode: Mode, dice: &mut Dice) -> Self {
        let launch = match mode {
            Mode::Takes if dice.below(2) == 0 => format!("launch-{writer}"),
            _ => "launch".to_owned(),
        };
        let label =
            if mode == Mode::Takes && dice.below(2) == 0 { format!("rank-{}", writer % 2) } else { String::new() };
        let resumes = [Resume::Unspecified, Resume::Allow, Resume::Must, Resume::Never];
        // Must and never are refused more often than not, and nothing comes of such a writer.
        let resume = resumes[if mode == Mode::Takes { [0, 0, 0, 1, 1, 1, 2, 3][dice.below(8) as usize] } else { 0 }];
        let metrics = 1 + dice.below(if mode == Mode::Big { 12 } else { 5 }) as u32;
        let mut items = vec![Item::Opened { launch, label, resume }];
        items.extend((0..metrics).map(Item::Register));
        let count = if mode == Mode::Big { 160 } else { 8 + dice.below(50) };
        let shape = dice.below(4);
        for at in 0..count {
            items.push(match dice.below(20) {
                0 => Item::Config(at as u32),
                1 => Item::Object,
                _ => {
                    let wide = match shape {
                        0 => dice.below(u64::from(metrics)) as u32 + 1,
                        1 => 1,
                        _ => metrics,
                    };
                    let value = |metric: u32| f64::from(writer) * 1e6 + at as f64 * 100.0 + f64::from(metric);
                    // Some NaN and some infinities.
                    let odd = |metric: u32| match dice.0 % 23 {
                        0 => f64::NAN,
                        1 => f64::INFINITY,
                        2 => f64::NEG_INFINITY,
                        _ => value(metric),
                    };
                    Item::Points((0..wide).map(|metric| (metric, odd(metric))).collect())
                }
            });
        }
        items.push(Item::Finished);
        let mut client = Self { run, writer, items, acked: 0, gaps: BTreeSet::new(), connections: Vec::new(), mode };
        client.open();
        client
    }

    pub(super) fn len(&self) -> u64 {
        self.items.len() as u64
    }
    pub(super) fn is_done(&self) -> bool {
        self.acked >= self.len()
    }

    fn open(&mut self) {
        self.connections.push(Connection { base: self.acked, last: self.acked, batches: Vec::new() });
    }

    fn record(&self, first: u64, last: u64) -> Logged {
        let item = |seq: u64| if self.gaps.contains(&seq) { Item::Gap } else { self.items[seq as usize - 1].clone() };
        Logged { run: self.run, writer: self.writer, first, items: (first..=last).map(item).collect() }
    }

    pub(super) fn step(&mut self, dice: &mut Dice) -> Wants {
        let roll = dice.below(100);
        if roll < 5 {
            self.open();
            return Wants::Nothing;
        }
        if roll < 9 && self.mode != Mode::Big {
            // The spool is full, or the door refused the item: one that was not acknowledged is replaced.
            let seq = self.acked + 1 + dice.below(4);
            let registers = self.mode != Mode::Hole && seq > 1 && dice.below(3) == 0;
            let goes = |item: &Item| match item {
                Item::Points(_) | Item::Object => true,
                Item::Register(_) => registers,
                _ => false,
            };
            if seq <= self.len() && goes(&self.items[seq as usize - 1]) {
                self.gaps.insert(seq);
                self.open();
            }
            return Wants::Nothing;
        }
        let connection = self.connections.len() - 1;
        let (base, last) = (self.connections[connection].base, self.connections[connection].last);
        // The opening goes alone, and its outcome is waited for.
        if roll < 55 && last < self.len() && (self.acked > 0 || last == 0) {
            let mut first = last + 1;
            if dice.below(10) == 0 {
                first = base + 1 + dice.below(last - base + 1);
            }
            let more = if first == 1 { 0 } else { dice.below(if self.mode == Mode::Big { 2 } else { 4 }) };
            let own = self.record(first, (first + more).min(self.len()));
            let open = &mut self.connections[connection];
            open.last = open.last.max(own.last());
            open.batches.push(Batch { record: own, offset: None });
            return Wants::Send(connection, open.batches.len() - 1);
        }
        self.acknowledge(dice)
    }

    /// The door's rule: all items up to n are durable and their offsets rise with their seq; a batch that lies before its
    /// predecessor is appended again.
    fn acknowledge(&mut self, dice: &mut Dice) -> Wants {
        let connection = self.connections.len() - 1;
        let open = &mut self.connections[connection];
        let mut durable: Vec<(u64, u64, u64)> = open
            .batches
            .iter()
            .filter_map(|batch| Some((batch.offset?, batch.record.first, batch.record.last())))
            .collect();
        durable.sort_unstable();
        let mut hw = open.base;
        for (_, first, last) in &durable {
            if *first <= hw + 1 {
                hw = hw.max(*last);
            }
        }
        let late = open.batches.iter().position(|batch| {
            let Some(own) = batch.offset.filter(|_| batch.record.last() > hw) else { return false };
            let first = batch.record.first;
            durable.iter().any(|(offset, f, l)| *offset > own && *l >= first - 1 && *f < first)
        });
        if hw > self.acked && dice.below(10) < 7 {
            self.acked = hw;
        }
        match late {
            Some(batch) => {
                open.batches[batch].offset = None;
                Wants::Send(connection, batch)
            }
            None => Wants::Nothing,
        }
    }
}
