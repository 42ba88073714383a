//! What each member should have: everyone who sees the same rows comes to the same answer, so no two want the same thing.

use std::collections::{BTreeMap, BTreeSet};

use corral_domain::Partition;

use super::table::MemberId;

/// How many partitions each member should have, of what it has and what is free: as even as can be, and who has more keeps
/// the odd one, so that nothing moves for nothing.
pub(crate) fn targets(has: &BTreeMap<MemberId, usize>, free: usize) -> Vec<(MemberId, usize)> {
    let mut ranks: Vec<_> = has.iter().map(|(id, count)| (*id, *count)).collect();
    ranks.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
    let (all, members) = (has.values().sum::<usize>() + free, has.len().max(1));
    let odd = all % members;
    let target = |(rank, (id, _)): (usize, (MemberId, usize))| (id, all / members + usize::from(rank < odd));
    ranks.into_iter().enumerate().map(target).collect()
}

/// The free partitions that are for `me` to take: each member below its target is given the next ones, in one order.
pub(crate) fn takes(
    has: &BTreeMap<MemberId, usize>,
    free: &BTreeSet<Partition>,
    (targets, me): (&[(MemberId, usize)], MemberId),
) -> Vec<Partition> {
    let mut free = free.iter().copied();
    for (id, target) in targets {
        let wants = target.saturating_sub(has.get(id).copied().unwrap_or_default());
        let given: Vec<_> = free.by_ref().take(wants).collect();
        if *id == me {
            return given;
        }
    }
    Vec::new()
}
