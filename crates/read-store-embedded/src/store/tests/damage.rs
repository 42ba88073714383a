//! A bit flipped on the disk: the store does not open, or a read says so, or nothing was lost but the journal's end.
//! Wrong rows are never served.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use super::*;

#[tokio::test]
async fn a_flipped_bit_is_never_served() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path(), BUILD).unwrap();
    for offset in 0..40 {
        commit(&store, offset, if offset % 2 == 0 { 5_000 } else { 100 }).await;
        if offset == 29 {
            store.0.rows.rotate_memtable_and_wait().unwrap();
        }
    }
    let good = store.dump(Table::Tail, None, 99).await.unwrap();
    drop(store);
    let mut seen = BTreeSet::new();
    for file in files(dir.path()) {
        let bytes = std::fs::metadata(dir.path().join(&file)).unwrap().len();
        // The journal is allocated in advance: flip where it is written.
        let bytes = bytes.min(120_000);
        for at in (0..9.min(bytes)).map(|part| bytes * part / 9.min(bytes)) {
            let copy = TempDir::new().unwrap();
            copy_dir(dir.path(), copy.path());
            flip(&copy.path().join(&file), at);
            seen.insert(outcome(copy.path(), &good));
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["does not open", "says so when read", "serves a prefix"]);
}

fn outcome(dir: &Path, good: &[Write]) -> &'static str {
    let store = match EmbeddedStore::open(dir, BUILD) {
        Ok(store) => store,
        Err(StoreError::Damaged(_)) => return "does not open",
        Err(error) => panic!("damage is not a reason to try again: {error}"),
    };
    match (store.0.dump(Table::Tail, None, 99), store.0.checkpoint(Partition(0))) {
        (Ok(rows), Ok(checkpoint)) => {
            let commits = checkpoint.unwrap_or_default().offset.0 as usize;
            assert_eq!(rows, good[..commits]);
            "serves a prefix"
        }
        (Err(StoreError::Damaged(_)), _) | (_, Err(StoreError::Damaged(_))) => "says so when read",
        (rows, checkpoint) => panic!("{rows:?} {checkpoint:?}"),
    }
}

/// All but the version files: damage there makes the engine abort the process, which `Builds` counts.
fn files(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                left.push(path);
            } else if !name.starts_with('v') {
                found.push(path.strip_prefix(dir).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn flip(path: &Path, at: u64) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 16], at).unwrap();
}
