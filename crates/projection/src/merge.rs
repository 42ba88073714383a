//! Merging: eight sets of a level become one of the next, series by series, paid for as points are applied.
//!
//! Each level has its own cursor in the state; the lowest level that has eight sets is paid first. What a step writes is a
//! function of the event, the state and the input sets, and never is anything written from inputs that are not whole:
//! a directory or a piece that is missing, or has other points than the directory names, means that another projector
//! was ahead, and the state is dropped. See [`crate::limits`] for what a record pays.

use bytes::Bytes;
use corral_domain::{Offset, OrganizationId, RunId};
use corral_read_store::layout::{KeyBytes, Row};
use corral_read_store::piece::{Decoder, Points};
use corral_read_store::series::{self, BlockRow, DirectoryEntry, DirectoryRow};
use corral_read_store::state::{Level, Replaced};
use corral_read_store::{Range, ReadStore, Table};

use crate::limits::Limits;
use crate::policy::Halt;
use crate::run::{Rowset, Run};
use crate::seal::SETS;
use crate::set::{SetOf, SetWriter};

/// A running merge's cursors in its inputs: read again whenever the state is.
pub(crate) struct Merging {
    level: usize,
    inputs: Vec<Input>,
    /// Points of the next series: credit below it changes nothing.
    needs: u64,
}

impl Merging {
    pub(crate) fn weight_bytes(&self) -> usize {
        self.inputs.len() * 128 * 1024
    }
}

impl Run {
    /// The level that is paid next.
    pub(crate) fn due(&self, limits: &Limits) -> Option<usize> {
        self.head.levels.iter().position(|level| level.sets.len() >= limits.level_sets)
    }

    /// Whether the credit is worth a step.
    pub(crate) fn can_merge(&self, limits: &Limits) -> bool {
        let needs = self.merging.as_ref().map_or(0, |merging| merging.needs);
        self.due(limits).is_some() && self.head.credit >= limits.merge_step_points.max(needs)
    }

    /// Merges as far as the credit goes, by the event at `offset`; true: the merge is finished.
    pub(crate) async fn merge(
        &mut self,
        store: &dyn ReadStore,
        offset: Offset,
        limits: &Limits,
        out: &mut Rowset,
    ) -> Result<bool, Halt> {
        let Some(level) = self.due(limits) else { return Ok(false) };
        if self.head.levels.len() <= level + 1 {
            self.head.levels.push(Level::default());
        }
        let mut merging = match self.merging.take() {
            Some(merging) if merging.level == level => merging,
            _ => self.open_merge(store, level, limits).await?,
        };
        let of = SetOf {
            organization: self.organization,
            run: &self.id,
            level: level as u8 + 1,
            number: self.head.levels[level + 1].next,
        };
        let Level { parts, blocks, mut merged, .. } = self.head.levels[level];
        let mut set = SetWriter::new(of, limits, (parts, blocks));
        let mut credit = self.head.credit;
        let finished = loop {
            let Some((index, needs)) = next(&merging.inputs) else { break true };
            if needs > credit {
                merging.needs = needs;
                break false;
            }
            credit -= needs;
            let mut points = Points::default();
            for input in &mut merging.inputs {
                if input.series() == Some(index) {
                    let piece = input.take(store).await?;
                    points.extend(&piece, 0..piece.len());
                }
            }
            set.add(index, points, out);
            merged = index.saturating_add(1);
        };
        let (parts, blocks) = set.end(finished, out);
        self.head.credit = credit;
        let own = &mut self.head.levels[level];
        (own.merged, own.parts, own.blocks) = (merged, parts, blocks);
        if finished {
            self.finish_merge(level, offset, limits);
        } else {
            self.merging = Some(merging);
        }
        Ok(finished)
    }

    fn finish_merge(&mut self, level: usize, offset: Offset, limits: &Limits) {
        let own = &mut self.head.levels[level];
        let sets: Vec<u32> = own.sets.drain(..limits.level_sets).collect();
        (own.merged, own.parts, own.blocks) = (0, 0, 0);
        let turn = self.head.turn + 1;
        self.head.replaced.push(Replaced { turn, offset, kind: SETS, number: level as u32, sets });
        let next = &mut self.head.levels[level + 1];
        next.sets.push(next.next);
        next.next += 1;
    }

    async fn open_merge(&self, store: &dyn ReadStore, level: usize, limits: &Limits) -> Result<Merging, Halt> {
        let own = &self.head.levels[level];
        let mut inputs = Vec::with_capacity(limits.level_sets);
        for number in own.sets.iter().take(limits.level_sets) {
            let of = (self.organization, &self.id);
            inputs.push(Input::open(store, of, (level as u8, *number), own.merged).await?);
        }
        Ok(Merging { level, inputs, needs: 0 })
    }
}

/// The lowest series that is left, and its points in all inputs.
fn next(inputs: &[Input]) -> Option<(u32, u64)> {
    let index = inputs.iter().filter_map(Input::series).min()?;
    let of = |input: &Input| input.entry().filter(|entry| entry.series == index).map_or(0, |entry| entry.points);
    Some((index, inputs.iter().map(|input| u64::from(of(input))).sum()))
}

/// One input set: where its directory and its blocks have been read to.
struct Input {
    organization: OrganizationId,
    run: RunId,
    level: u8,
    number: u32,
    part: u32,
    /// Behind the directory row that is open.
    from: Bytes,
    is_last: bool,
    entries: std::vec::IntoIter<DirectoryEntry>,
    block: Option<(u32, std::vec::IntoIter<(u32, Bytes)>)>,
    decoder: Decoder,
}

impl Input {
    /// At the first series that is not below `merged`.
    async fn open(
        store: &dyn ReadStore,
        (organization, run): (OrganizationId, &RunId),
        (level, number): (u8, u32),
        merged: u32,
    ) -> Result<Self, Halt> {
        let mut input = Self {
            organization,
            run: run.clone(),
            level,
            number,
            part: 0,
            from: Bytes::new(),
            is_last: false,
            entries: Vec::new().into_iter(),
            block: None,
            decoder: Decoder::default(),
        };
        let from = series::directory_clustering(level, number, 0);
        let to = KeyBytes::new().raw(&series::directory_clustering(level, number, merged)).u8(0).build();
        let range = Range { from: from.clone(), to: Some(to), limit: 1, reverse: true };
        let partition = series::directory_partition(organization, run);
        match store.scan(Table::SetDirectory, &partition, range).await?.pop() {
            Some(row) => input.enter(row, None)?,
            // The first part begins at a higher series.
            None => {
                input.from = from;
                input.next_part(store, Some(0)).await?;
            }
        }
        let below = input.entries.as_slice().iter().take_while(|entry| entry.series < merged).count();
        if below > 0 {
            input.entries.nth(below - 1);
        }
        input.settle(store).await?;
        Ok(input)
    }

    fn entry(&self) -> Option<&DirectoryEntry> {
        self.entries.as_slice().first()
    }

    fn series(&self) -> Option<u32> {
        self.entry().map(|entry| entry.series)
    }

    fn broken(&self, what: &str) -> Halt {
        Halt::Reload(format!("set {} of level {}: {what}", self.number, self.level))
    }

    fn enter(&mut self, (clustering, value): (Bytes, Bytes), part: Option<u32>) -> Result<(), Halt> {
        let row = DirectoryRow::decode(&value)?;
        if part.is_some_and(|part| part != row.part) {
            return Err(self.broken("a part of its directory is missing"));
        }
        self.from = KeyBytes::new().raw(&clustering).u8(0).build();
        (self.part, self.is_last, self.entries) = (row.part, row.last, row.entries.into_iter());
        Ok(())
    }

    async fn next_part(&mut self, store: &dyn ReadStore, part: Option<u32>) -> Result<(), Halt> {
        let to = series::directory_clustering(self.level, self.number.saturating_add(1), 0);
        let partition = series::directory_partition(self.organization, &self.run);
        let range = Range::between(self.from.clone(), to, 1);
        match store.scan(Table::SetDirectory, &partition, range).await?.pop() {
            Some(row) => self.enter(row, part),
            None => Err(self.broken("its directory is missing")),
        }
    }

    /// Moves on to the next part where the open one is used up.
    async fn settle(&mut self, store: &dyn ReadStore) -> Result<(), Halt> {
        while self.entries.as_slice().is_empty() && !self.is_last {
            self.next_part(store, Some(self.part + 1)).await?;
        }
        Ok(())
    }

    /// The piece at the cursor, checked against the directory.
    async fn take(&mut self, store: &dyn ReadStore) -> Result<Points, Halt> {
        let Some(entry) = self.entries.next() else { return Ok(Points::default()) };
        if self.block.as_ref().is_none_or(|(block, _)| *block != entry.block) {
            let key = series::block_key(self.organization, &self.run, self.level, self.number, entry.block);
            let Some(value) = store.get(&key).await? else { return Err(self.broken("a block is missing")) };
            self.block = Some((entry.block, BlockRow::decode(&value)?.pieces.into_iter()));
        }
        let pieces = self.block.as_mut().map(|(_, pieces)| pieces);
        let found = pieces.and_then(|pieces| pieces.find(|(series, _)| *series >= entry.series));
        let Some((_, bytes)) = found.filter(|(series, _)| *series == entry.series) else {
            return Err(self.broken("a piece is missing"));
        };
        let points = self.decoder.decode(&bytes)?;
        if points.len() as u64 != u64::from(entry.points) {
            return Err(self.broken("a piece has other points than its directory names"));
        }
        self.settle(store).await?;
        Ok(points)
    }
}
