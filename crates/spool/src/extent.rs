//! Where items lie, in the order in which they were appended: stretches of the ring and overflow files in turn.

use std::collections::VecDeque;

use crate::overflow::OverflowFile;

pub(crate) enum Place {
    /// Positions of the ring.
    Ring,
    /// Bytes of a file, from its header on.
    File(OverflowFile),
}

pub(crate) struct Extent {
    /// Rises; a cursor names it.
    pub(crate) id: u64,
    pub(crate) place: Place,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// A place to read on from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) extent: u64,
    pub(crate) at: u64,
}

/// All extents, oldest first; the last is the one that is appended to.
#[derive(Default)]
pub(crate) struct Extents {
    pub(crate) list: VecDeque<Extent>,
    next_id: u64,
}

impl Extents {
    pub(crate) fn push(&mut self, place: Place, from: u64, to: u64) {
        self.list.push_back(Extent { id: self.next_id, place, from, to });
        self.next_id += 1;
    }

    /// The index of the extent that a spot lies in, and where in it; the next one's beginning if that extent is gone.
    pub(crate) fn locate(&self, spot: Spot) -> Option<(usize, u64)> {
        let index = self.list.partition_point(|extent| extent.id < spot.extent);
        let extent = self.list.get(index)?;
        Some((index, if extent.id == spot.extent { spot.at.max(extent.from) } else { extent.from }))
    }

    /// The oldest position of the ring that is still in use.
    pub(crate) fn ring_tail(&self) -> Option<u64> {
        self.list.iter().find(|extent| matches!(extent.place, Place::Ring)).map(|extent| extent.from)
    }

    pub(crate) fn overflow_bytes(&self) -> u64 {
        let bytes = |extent: &Extent| if matches!(extent.place, Place::File(_)) { extent.to } else { 0 };
        self.list.iter().map(bytes).sum()
    }
}
