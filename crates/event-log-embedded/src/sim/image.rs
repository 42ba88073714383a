//! What a power cut may leave of a simulated disk.
//!
//! At a moment of a history there is a durable state and a list of operations that nothing has synced yet. A power cut
//! leaves the durable state with any part of that list done: nothing, all, each prefix, each alone, all but one, in
//! another order, a random part, and writes torn at sectors.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{Inode, Op, dir_of};

/// A sector is written whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// Directories and files, as they are found after a start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    pub dirs: BTreeSet<String>,
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Image {
    /// Tells images apart.
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for dir in &self.dirs {
            digest.update([0]);
            digest.update(dir);
        }
        for (path, content) in &self.files {
            digest.update([1]);
            digest.update(path);
            digest.update((content.len() as u64).to_le_bytes());
            digest.update(content);
        }
        digest.finalize().into()
    }
}

/// All that a disk was told, from a durable start.
#[derive(Clone)]
pub struct History {
    pub(super) start: Image,
    pub(super) ops: Vec<Op>,
}

/// A power cut at one moment.
pub struct Crash {
    durable: Disk,
    pending: Vec<Op>,
}

/// Names and contents apart, so that a content may be durable and its name not, and the other way round.
#[derive(Clone, Default)]
struct Disk {
    dirs: BTreeSet<String>,
    names: BTreeMap<String, Inode>,
    contents: BTreeMap<Inode, Vec<u8>>,
}

impl History {
    /// Moments: before the first operation, and behind each.
    pub fn moments(&self) -> usize {
        self.ops.len() + 1
    }

    /// The power goes behind the first `moment` operations.
    pub fn crash(&self, moment: usize) -> Crash {
        let mut durable = Disk { dirs: self.start.dirs.clone(), ..Disk::default() };
        for (inode, (path, content)) in self.start.files.iter().enumerate() {
            durable.names.insert(path.clone(), inode as Inode);
            durable.contents.insert(inode as Inode, content.clone());
        }
        let mut pending: Vec<Op> = Vec::new();
        for op in &self.ops[..moment] {
            let is_synced: Box<dyn Fn(&Op) -> bool> = match op {
                Op::Sync { inode } => Box::new(|op| content_of(op) == Some(*inode)),
                Op::SyncDir { dir } => Box::new(|op| names_in(op) == Some(dir.as_str())),
                other => {
                    pending.push(other.clone());
                    continue;
                }
            };
            pending.retain(|op| {
                let synced = is_synced(op);
                if synced {
                    durable.apply(op);
                }
                !synced
            });
        }
        Crash { durable, pending }
    }
}

impl Crash {
    /// Images that this power cut may leave, with what was done to get each. `random` parts come from the seed.
    pub fn images(&self, random: usize, seed: u64) -> Vec<(String, Image)> {
        let (ops, mut images) = (&self.pending, Vec::new());
        let mut add = |what: String, done: &[Op]| images.push((what, self.image(done)));
        for prefix in 0..=ops.len() {
            add(format!("the first {prefix} of {}", ops.len()), &ops[..prefix]);
        }
        let reversed: Vec<Op> = ops.iter().rev().cloned().collect();
        if ops.len() > 1 {
            add("all, in reverse".to_owned(), &reversed);
            for (index, op) in ops.iter().enumerate() {
                add(format!("only operation {index}"), std::slice::from_ref(op));
                let rest: Vec<Op> =
                    ops.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, op)| op.clone()).collect();
                add(format!("all but operation {index}"), &rest);
            }
        }
        if let Some((last, before)) = ops.split_last() {
            for sectors in 1..sectors(last).len() {
                let mut torn = before.to_vec();
                torn.extend(self::sectors(last).into_iter().take(sectors));
                add(format!("all, the last torn after {sectors} sectors"), &torn);
            }
        }
        let pieces: Vec<Op> = ops.iter().flat_map(sectors).collect();
        let mut random_state = seed;
        for round in 0..if pieces.len() > 1 { random } else { 0 } {
            let mut part: Vec<Op> =
                pieces.iter().filter(|_| next_random(&mut random_state).is_multiple_of(2)).cloned().collect();
            if round % 2 == 1 {
                for index in (1..part.len()).rev() {
                    part.swap(index, (next_random(&mut random_state) % (index as u64 + 1)) as usize);
                }
            }
            add(format!("sectors, part {round} of seed {seed}"), &part);
        }
        images
    }

    fn image(&self, done: &[Op]) -> Image {
        let mut disk = self.durable.clone();
        for op in done {
            disk.apply(op);
        }
        let names = disk.names.iter().filter(|(path, _)| dir_of(path).is_empty() || disk.dirs.contains(dir_of(path)));
        let content = |inode| disk.contents.get(inode).cloned().unwrap_or_default();
        let files = names.map(|(path, inode)| (path.clone(), content(inode))).collect();
        Image { dirs: disk.dirs.clone(), files }
    }
}

impl Disk {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::MakeDir { dir } => {
                self.dirs.insert(dir.clone());
            }
            Op::Link { path, inode } => {
                self.names.insert(path.clone(), *inode);
            }
            Op::Rename { from, to, inode } => {
                self.names.remove(from);
                self.names.insert(to.clone(), *inode);
            }
            Op::Unlink { path } => {
                self.names.remove(path);
            }
            Op::Write { inode, at, bytes } => write(self.contents.entry(*inode).or_default(), *at, bytes),
            Op::SetLen { inode, bytes } => self.contents.entry(*inode).or_default().resize(*bytes as usize, 0),
            Op::Sync { .. } | Op::SyncDir { .. } => {}
        }
    }
}

/// Writes into a content that may have to grow.
pub(super) fn write(content: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let (at, end) = (at as usize, at as usize + bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

/// The sectors that a write is done in; any other operation is done whole.
fn sectors(op: &Op) -> Vec<Op> {
    let Op::Write { inode, at, bytes } = op else {
        return vec![op.clone()];
    };
    let (mut from, end, mut pieces) = (*at, at + bytes.len() as u64, Vec::new());
    while from < end {
        let to = ((from / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
        let piece = &bytes[(from - at) as usize..(to - at) as usize];
        pieces.push(Op::Write { inode: *inode, at: from, bytes: piece.into() });
        from = to;
    }
    pieces
}

fn content_of(op: &Op) -> Option<Inode> {
    match op {
        Op::Write { inode, .. } | Op::SetLen { inode, .. } => Some(*inode),
        _ => None,
    }
}

fn names_in(op: &Op) -> Option<&str> {
    match op {
        Op::MakeDir { .. } => Some(""),
        Op::Link { path, .. } | Op::Unlink { path } | Op::Rename { to: path, .. } => Some(dir_of(path)),
        _ => None,
    }
}

/// SplitMix64.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
