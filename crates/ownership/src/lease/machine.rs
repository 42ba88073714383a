//! The lease of one process, without I/O and without a clock: what to ask the table next, what an answer means, and what
//! is owned at a moment.
//!
//! A member *believes* that it has its partitions until `own` after the beginning of its last beat that was counted. Others
//! give it up when they have seen one beat for `stale`, which is longer; each measures with its own monotonic clock and from
//! what it has seen, so no two clocks are ever compared. Giving up removes the member's row on the condition of that very
//! beat: either a later beat was counted and nothing happens, or none ever will be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use corral_domain::Partition;

use super::table::{Holding, Member, MemberId};
use super::{Timing, share};
use crate::Figures;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    Join(Member),
    Beat { id: MemberId, from: u64 },
    Partitions,
    Members,
    Remove { id: MemberId, beat: Option<u64> },
    Change { partition: Partition, term: u64, owner: Option<MemberId> },
}

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Done(bool),
    Partitions(BTreeMap<Partition, Holding>),
    Members(Vec<Member>),
    /// Whether it was done is not known.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Ask(Ask),
    /// Until then, unless somebody says something.
    Wait(Duration),
    /// It has left.
    Gone,
}

/// Makes an id that nobody had.
pub(crate) type Ids = Box<dyn FnMut() -> MemberId + Send + Sync>;

pub(crate) struct Machine {
    timing: Timing,
    partitions: u16,
    address: String,
    ids: Ids,
    phase: Phase,
    held: BTreeMap<Partition, Held>,
    /// Other members, as this one has seen them.
    seen: BTreeMap<MemberId, Seen>,
    /// Read, and members not yet: whoever owns a partition here and is no member later is one no more.
    read: Option<BTreeMap<Partition, Holding>>,
    todo: VecDeque<Ask>,
    next_look: Duration,
    leaving: Option<Duration>,
    lapsed: bool,
    figures: Figures,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// No member, or none any more.
    Out {
        not_before: Duration,
    },
    In {
        id: MemberId,
        beat: u64,
        until: Duration,
        next_beat: Duration,
    },
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    term: u64,
    /// It goes to another as soon as its runner rests.
    stopping: bool,
    rests: bool,
}

struct Seen {
    beat: u64,
    since: Duration,
    /// When it is given up.
    deadline: Duration,
}

impl Machine {
    pub(crate) fn new(timing: Timing, partitions: u16, address: String, ids: Ids) -> Self {
        Self {
            timing,
            partitions,
            address,
            ids,
            phase: Phase::Out { not_before: Duration::ZERO },
            held: BTreeMap::new(),
            seen: BTreeMap::new(),
            read: None,
            todo: VecDeque::new(),
            next_look: Duration::ZERO,
            leaving: None,
            lapsed: false,
            figures: Figures::default(),
        }
    }

    /// What may be run at this moment.
    pub(crate) fn owned(&self, now: Duration) -> BTreeSet<Partition> {
        match self.phase {
            Phase::In { until, .. } if now < until && self.leaving.is_none() => {
                self.held.iter().filter(|(_, held)| !held.stopping).map(|(partition, _)| *partition).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// What runners are told; they run it from then on.
    pub(crate) fn tell(&mut self, now: Duration) -> BTreeSet<Partition> {
        let owned = self.owned(now);
        self.held
            .iter_mut()
            .filter(|(partition, _)| owned.contains(partition))
            .for_each(|(_, held)| held.rests = false);
        owned
    }

    /// When what is owned ends unless another beat is counted.
    pub(crate) fn believes_until(&self) -> Option<Duration> {
        match self.phase {
            Phase::In { until, .. } => Some(until),
            _ => None,
        }
    }

    pub(crate) fn figures(&self, now: Duration) -> Figures {
        let members = self.seen.len() as u64 + u64::from(matches!(self.phase, Phase::In { .. }));
        // One that lapses while it asks has not been told yet.
        let lapses = !self.lapsed && matches!(self.phase, Phase::In { until, .. } if now >= until);
        let lapsed = self.figures.lapsed + u64::from(lapses);
        Figures { owned: self.owned(now).len() as u64, members, lapsed, ..self.figures }
    }

    /// From now on nothing is owned; it goes once all runners rest, or have had their time.
    pub(crate) fn leave(&mut self, now: Duration) {
        if self.leaving.is_none() {
            self.leaving = Some(now);
            self.held.values_mut().for_each(|held| held.stopping = true);
            self.todo.clear();
        }
    }

    /// A runner has come to rest: it was told that its partition goes, or that nothing is owned for now.
    pub(crate) fn rested(&mut self, partition: Partition, now: Duration) {
        if self.owned(now).contains(&partition) {
            return;
        }
        let Some(held) = self.held.get_mut(&partition).filter(|held| !held.rests) else { return };
        held.rests = true;
        if held.stopping && self.leaving.is_none() {
            self.todo.push_back(Ask::Change { partition, term: held.term, owner: None });
        }
    }

    pub(crate) fn next(&mut self, now: Duration) -> Next {
        let Phase::In { id, beat, until, next_beat } = self.phase else { return self.next_outside(now) };
        if now >= until && !self.lapsed {
            self.lapsed = true;
            self.figures.lapsed += 1;
        }
        let mut wake = next_beat;
        if let Some(since) = self.leaving {
            let patience = since + self.timing.own;
            if now >= patience || self.held.values().all(|held| held.rests) {
                return Next::Ask(Ask::Remove { id, beat: None });
            }
            wake = wake.min(patience);
        }
        if now >= next_beat {
            return Next::Ask(Ask::Beat { id, from: beat });
        }
        if self.leaving.is_some() {
            return Next::Wait(wake);
        }
        // Before any change of ours, which what was read does not show.
        if self.read.is_some() {
            return Next::Ask(Ask::Members);
        }
        if let Some(ask) = self.todo.pop_front() {
            return Next::Ask(ask);
        }
        if now >= self.next_look {
            return Next::Ask(Ask::Partitions);
        }
        if let Some((id, seen)) = self.seen.iter().min_by_key(|(_, seen)| seen.deadline) {
            if now >= seen.deadline {
                return Next::Ask(Ask::Remove { id: *id, beat: Some(seen.beat) });
            }
            wake = wake.min(seen.deadline);
        }
        Next::Wait(if now < until { wake.min(self.next_look).min(until) } else { wake.min(self.next_look) })
    }

    fn next_outside(&mut self, now: Duration) -> Next {
        match self.phase {
            Phase::Out { .. } if self.leaving.is_some() => {
                self.phase = Phase::Gone;
                Next::Gone
            }
            Phase::Out { not_before } if now < not_before => Next::Wait(not_before),
            Phase::Out { .. } => {
                Next::Ask(Ask::Join(Member { id: (self.ids)(), address: self.address.clone(), beat: 0 }))
            }
            Phase::In { .. } | Phase::Gone => Next::Gone,
        }
    }

    /// What was asked at `started` has this answer, at `now`.
    pub(crate) fn answered(&mut self, ask: Ask, answer: Answer, (started, now): (Duration, Duration)) {
        if matches!(answer, Answer::Failed) {
            self.figures.failed += 1;
        }
        match (ask, answer) {
            (Ask::Join(member), answer) => self.joined(member.id, &answer, (started, now)),
            (Ask::Beat { .. }, answer) => self.beaten(&answer, (started, now)),
            (Ask::Partitions, Answer::Partitions(rows)) => self.read = Some(rows),
            (Ask::Members, Answer::Members(members)) => self.looked(members, now),
            (Ask::Partitions | Ask::Members, _) => {
                self.read = None;
                self.next_look = now + self.timing.look;
            }
            (Ask::Remove { id, .. }, answer) if self.is_me(id) => {
                let patience = self.leaving.unwrap_or(now) + 2 * self.timing.own;
                if matches!(answer, Answer::Done(_)) || now >= patience {
                    self.held.clear();
                    self.phase = Phase::Gone;
                }
            }
            (Ask::Remove { id, .. }, answer) => self.removed(id, &answer, now),
            (Ask::Change { partition, term, owner }, Answer::Done(true)) => {
                if owner.is_some_and(|owner| self.is_me(owner)) {
                    self.gain(partition, term + 1);
                } else if owner.is_none() && self.held.remove(&partition).is_some() {
                    self.figures.handed_over += 1;
                }
            }
            // The next look says who has it.
            (Ask::Change { .. }, _) => self.next_look = self.next_look.min(now + self.timing.retry),
        }
    }

    fn is_me(&self, other: MemberId) -> bool {
        matches!(self.phase, Phase::In { id, .. } if id == other)
    }

    fn joined(&mut self, id: MemberId, answer: &Answer, (started, now): (Duration, Duration)) {
        // Not knowing is as good as no: nobody will ever use that id.
        if !matches!(answer, Answer::Done(true)) {
            self.phase = Phase::Out { not_before: now + self.timing.retry };
            return;
        }
        self.phase = Phase::In { id, beat: 0, until: started + self.timing.own, next_beat: started + self.timing.beat };
        (self.next_look, self.lapsed) = (now, false);
    }

    fn beaten(&mut self, answer: &Answer, (started, now): (Duration, Duration)) {
        let timing = self.timing;
        let Phase::In { beat, until, next_beat, .. } = &mut self.phase else { return };
        match answer {
            Answer::Done(true) => {
                *beat += 1;
                (*until, *next_beat) = (started + timing.own, started + timing.beat);
                self.lapsed = false;
            }
            // An earlier beat was counted whose answer was lost, or others have given us up: a look tells.
            Answer::Done(false) => {
                *next_beat = now + timing.retry;
                (self.next_look, self.read) = (now, None);
                self.todo.clear();
            }
            _ => *next_beat = now + timing.retry,
        }
    }

    fn removed(&mut self, id: MemberId, answer: &Answer, now: Duration) {
        match answer {
            Answer::Done(true) => {
                self.seen.remove(&id);
                self.figures.evictions += 1;
                self.next_look = now;
            }
            // It lives, or somebody else was faster.
            Answer::Done(false) => {
                if let Some(seen) = self.seen.get_mut(&id) {
                    seen.deadline = now + self.timing.stale;
                }
                self.next_look = now;
            }
            _ => {
                if let Some(seen) = self.seen.get_mut(&id) {
                    seen.deadline = now + self.timing.retry;
                }
            }
        }
    }

    fn looked(&mut self, members: Vec<Member>, now: Duration) {
        let (Some(rows), Phase::In { id, beat, next_beat, .. }) = (self.read.take(), &mut self.phase) else { return };
        self.next_look = now + self.timing.look;
        let me = *id;
        match members.iter().find(|member| member.id == me) {
            Some(own) if own.beat != *beat => (*beat, *next_beat) = (own.beat, now),
            Some(_) => {}
            None => {
                self.out(now);
                return;
            }
        }
        self.see(members.iter().filter(|member| member.id != me), now);
        let living: BTreeSet<MemberId> = members.into_iter().map(|member| member.id).collect();
        if self.leaving.is_none() {
            self.plan(me, &living, (rows, now));
        }
    }

    /// Others have given this process up: it begins anew.
    fn out(&mut self, now: Duration) {
        self.figures.evicted += 1;
        self.held.clear();
        self.todo.clear();
        self.phase = Phase::Out { not_before: now };
    }

    fn see<'a>(&mut self, others: impl Iterator<Item = &'a Member>, now: Duration) {
        let mut before = std::mem::take(&mut self.seen);
        for member in others {
            let seen = match before.remove(&member.id) {
                Some(seen) if seen.beat == member.beat => seen,
                _ => Seen { beat: member.beat, since: now, deadline: now + self.timing.stale },
            };
            self.seen.insert(member.id, seen);
        }
    }

    fn plan(
        &mut self,
        me: MemberId,
        living: &BTreeSet<MemberId>,
        (rows, now): (BTreeMap<Partition, Holding>, Duration),
    ) {
        // Whoever may be dead gets nothing, and what it has is not shared out yet.
        let fresh = self.seen.iter().filter(|(_, seen)| now < seen.since + self.timing.fresh).map(|(id, _)| *id);
        let mut has: BTreeMap<MemberId, usize> = fresh.chain([me]).map(|id| (id, 0)).collect();
        let mut free = BTreeSet::new();
        for partition in (0..self.partitions).map(Partition) {
            let holding = rows.get(&partition).copied().unwrap_or_default();
            match holding.owner.filter(|owner| living.contains(owner)) {
                Some(owner) => {
                    has.entry(owner).and_modify(|count| *count += 1);
                    if owner == me && self.held.get(&partition).is_none_or(|held| held.term != holding.term) {
                        // Taken by a request whose answer was lost.
                        self.gain(partition, holding.term);
                    }
                }
                None => {
                    free.insert(partition);
                }
            }
            if holding.owner != Some(me) {
                self.held.remove(&partition);
            }
        }
        let targets = share::targets(&has, free.len());
        let takes = share::takes(&has, &free, (&targets, me));
        for partition in takes {
            let term = rows.get(&partition).copied().unwrap_or_default().term;
            self.todo.push_back(Ask::Change { partition, term, owner: Some(me) });
        }
        let target = targets.iter().find(|(id, _)| *id == me).map_or(0, |(_, target)| *target);
        self.hand_over(has.get(&me).copied().unwrap_or_default().saturating_sub(target));
    }

    /// Stops what is above this one's share, and gives up what has come to rest.
    fn hand_over(&mut self, surplus: usize) {
        let stopping = self.held.values().filter(|held| held.stopping).count();
        let running = self.held.values_mut().rev().filter(|held| !held.stopping);
        running.take(surplus.saturating_sub(stopping)).for_each(|held| held.stopping = true);
        let rested = self.held.iter().filter(|(_, held)| held.stopping && held.rests);
        let give_up =
            rested.map(|(partition, held)| Ask::Change { partition: *partition, term: held.term, owner: None });
        let give_up: Vec<_> = give_up.filter(|ask| !self.todo.contains(ask)).collect();
        self.todo.extend(give_up);
    }

    /// What tells one state from another, times and counts aside.
    #[cfg(test)]
    pub(crate) fn shape(&self) -> (u8, Vec<(Partition, bool, bool)>, usize, bool) {
        let phase = match self.phase {
            Phase::Out { .. } => 0,
            Phase::In { .. } => 1 + u8::from(self.lapsed),
            Phase::Gone => 3,
        };
        let held = self.held.iter().map(|(partition, held)| (*partition, held.stopping, held.rests)).collect();
        (phase, held, self.todo.len(), self.read.is_some())
    }

    fn gain(&mut self, partition: Partition, term: u64) {
        self.figures.gained += 1;
        self.held.insert(partition, Held { term, stopping: self.leaving.is_some(), rests: true });
    }
}
