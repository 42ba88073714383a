//! The same random commits into several stores: every answer must be the same.

use bytes::Bytes;
use corral_domain::Partition;
use corral_domain::{Micros, Offset};

use super::{Store, key};
use crate::{Checkpoint, Key, Mutation, Range, Table, Write, WriteBatch};

/// Runs `commits` random commits into each store and compares gets, scans, dumps and checkpoints on the way.
pub async fn agree(stores: &[(&str, Store)], seed: u64, commits: u32) {
    let mut random = Random(seed);
    let mut appended = Appended::default();
    for round in 0..commits {
        let partition = Partition(random.below(3) as u16);
        let batch = WriteBatch {
            derived: mutations(&mut random, &mut appended, round),
            state: (0..random.below(2)).map(|_| rewritten(&mut random, Table::State, round)).collect(),
        };
        let checkpoint = Checkpoint {
            offset: Offset(random.below(u64::from(round) + 2)),
            complete_through: Micros(random.below(3) as i64),
            stopped: (random.below(9) == 0).then(|| "stopped".to_owned()),
            stale_since: Micros(0),
        };
        for (_, store) in stores {
            store.commit(partition, batch.clone(), checkpoint.clone()).await.expect("a commit");
        }
        compare(stores, &mut random, &format!("seed {seed}, commit {round}")).await;
    }
    compare_dumps(stores, seed).await;
}

/// Rows of appended tables written so far: (place, its timestamp), each deleted at most once.
#[derive(Default)]
struct Appended(Vec<(Key, u64)>);

fn mutations(random: &mut Random, appended: &mut Appended, round: u32) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    for _ in 0..random.below(6) {
        let table = Table::ALL[random.below(Table::ALL.len() as u64) as usize];
        if !table.is_appended() {
            mutations.push(rewritten(random, table, round));
        } else if random.below(3) == 0 && !appended.0.is_empty() {
            let (key, timestamp) = appended.0.swap_remove(random.below(appended.0.len() as u64) as usize);
            // A row and its delete never share a commit.
            if timestamp < u64::from(round) {
                mutations.push(Mutation::one(key, None, u64::from(round)));
            } else {
                appended.0.push((key, timestamp));
            }
        } else {
            let clustering = [&round.to_be_bytes()[..], &(mutations.len() as u32).to_be_bytes()].concat();
            let key = key(table, &random.name(), &clustering);
            mutations.push(Mutation::one(key.clone(), Some(random.value()), u64::from(round)));
            appended.0.push((key, u64::from(round)));
        }
    }
    mutations
}

/// Rows of one partition, with timestamps from the past and from the future, deletes and ties.
fn rewritten(random: &mut Random, table: Table, round: u32) -> Mutation {
    let partition = random.name();
    let write = |random: &mut Random| Write {
        key: key(table, &partition, &random.name()),
        value: (random.below(4) > 0).then(|| random.value()),
        timestamp: (u64::from(round) + random.below(5)).saturating_sub(random.below(5)),
    };
    Mutation((0..=random.below(3)).map(|_| write(random)).collect())
}

async fn compare(stores: &[(&str, Store)], random: &mut Random, at: &str) {
    let table = Table::ALL[random.below(Table::ALL.len() as u64) as usize];
    let (partition, clustering) = (random.name(), random.name());
    let range = Range {
        from: random.name().into(),
        to: (random.below(2) == 0).then(|| random.name().into()),
        limit: random.below(6) as usize,
        reverse: random.below(2) == 0,
    };
    let place = key(table, &partition, &clustering);
    let log = Partition(random.below(3) as u16);
    let mut expect = None;
    for (name, store) in stores {
        let found = (
            store.get(&place).await.expect("a get"),
            store.scan(table, &partition, range.clone()).await.expect("a scan"),
            store.checkpoint(log).await.expect("a checkpoint"),
        );
        let expect = expect.get_or_insert_with(|| found.clone());
        assert_eq!(&found, expect, "{name} differs at {at}: {place:?} {range:?}");
    }
}

async fn compare_dumps(stores: &[(&str, Store)], seed: u64) {
    for table in Table::ALL {
        let mut expect = None;
        for (name, store) in stores {
            let found = store.dump(table, None, usize::MAX).await.expect("a dump");
            let expect = expect.get_or_insert_with(|| found.clone());
            assert_eq!(&found, expect, "{name} differs at seed {seed}: dump of {table:?}");
        }
    }
}

/// splitmix64 of the seed.
struct Random(u64);

impl Random {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % count
    }
    /// Few and short, so that they meet; with the bytes that encodings trip over.
    fn name(&mut self) -> Vec<u8> {
        (0..self.below(3)).map(|_| [0, 1, b'a', 0xff][self.below(4) as usize]).collect()
    }
    fn value(&mut self) -> Bytes {
        (0..self.below(4)).map(|_| self.below(3) as u8).collect::<Vec<_>>().into()
    }
}
