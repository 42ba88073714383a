//! A flipped byte anywhere costs at most the item that it lies in, which becomes a gap; nothing wrong is ever given back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use corral_spool::{Chunk, Cursor, ItemKind, Options, Owner, Spool, WriterIdentity, WriterIndex};

const ITEMS: u64 = 24;

type Items = BTreeMap<u64, (u64, ItemKind, Vec<u8>)>;

fn read_all(spool: &Spool, writer: WriterIndex) -> Items {
    let (mut cursor, mut chunk, mut all) = (Cursor::new(writer, 1), Chunk::default(), BTreeMap::new());
    while spool.read(&mut cursor, &mut chunk, 1 << 20, 10_000).expect("read") {}
    for item in &chunk.items {
        all.insert(item.seq, (item.last, item.kind, chunk.payload(item).to_vec()));
    }
    all
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory").flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copy");
    }
}

struct Image {
    dir: tempfile::TempDir,
    ring: PathBuf,
    control: PathBuf,
    expected: Items,
}

fn image() -> Image {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { ring_bytes: 600 << 10, ..Options::new(dir.path().to_owned()) };
    let spool =
        Spool::create(options, Owner { url: "http://x".into(), ..Owner::default() }, [3; 16], 99).expect("a spool");
    let writer =
        spool.open_writer(WriterIdentity { writer_id: [5; 16], epoch: 1, run_id: "run".into() }).expect("a writer");
    for seq in 1..=ITEMS {
        if seq % 8 == 1 {
            spool.append_control(writer, 2, |seq| vec![seq as u8; 5]).expect("control");
        } else {
            spool.append(writer, 1, &[seq as u8; 21]).expect("append");
        }
    }
    let expected = read_all(&spool, writer);
    assert_eq!(expected.len() as u64, ITEMS);
    let ring = spool.path().to_owned();
    let control = ring.with_extension("control-000001");
    assert!(!spool.close().expect("close"));
    Image { dir, ring, control, expected }
}

/// Flips each byte of a range of a file in a copy, adopts it, and compares.
fn flip_each(image: &Image, file: &Path, range: std::ops::Range<usize>) -> u64 {
    let scratch = tempfile::tempdir().expect("a directory");
    copy_dir(image.dir.path(), scratch.path());
    let damaged = scratch.path().join(file.file_name().expect("a name"));
    let ring = scratch.path().join(image.ring.file_name().expect("a name"));
    let clean = std::fs::read(&damaged).expect("read");
    let clean_ring = std::fs::read(&ring).expect("read");
    let mut lost_most = 0;
    for at in range {
        use std::os::unix::fs::FileExt;
        let open = |path: &Path| std::fs::File::options().write(true).open(path).expect("open");
        // Adopting writes slots: start from the same bytes each time.
        open(&ring).write_all_at(&clean_ring[..140_000], 0).expect("restore");
        open(&damaged).write_all_at(&[clean[at] ^ 0x10], at as u64).expect("flip");
        let spool = Spool::adopt(&ring).unwrap_or_else(|error| panic!("byte {at}: {error}")).expect("nobody's");
        let found = read_all(&spool, WriterIndex(0));
        let mut lost = 0;
        for (seq, item) in &found {
            match item.1 {
                ItemKind::Damaged => lost += item.0 - seq + 1,
                _ => assert_eq!(Some(item), image.expected.get(seq), "byte {at}: nothing wrong is given back"),
            }
        }
        let told: u64 = found.iter().map(|(seq, item)| item.0 - seq + 1).sum();
        assert!(lost <= 1 && told == ITEMS, "byte {at}: {lost} lost, {told} told: {found:?}");
        lost_most = lost_most.max(lost);
        drop(spool);
        open(&damaged).write_all_at(&[clean[at]], at as u64).expect("mend");
    }
    lost_most
}

#[test]
fn each_byte_of_the_items() {
    let image = image();
    let data_at = 4_096 + 1_024 * 128;
    assert_eq!(flip_each(&image, &image.ring, data_at..data_at + 21 * 56), 1, "a damaged item is lost, and only that");
}

#[test]
fn each_byte_of_the_header_and_the_writers_slot() {
    let image = image();
    assert_eq!(flip_each(&image, &image.ring, 0..300), 0);
    assert_eq!(flip_each(&image, &image.ring, 4_096..4_096 + 128), 0);
}

#[test]
fn each_byte_of_the_control_file() {
    let image = image();
    let length = std::fs::metadata(&image.control).expect("stat").len() as usize;
    assert_eq!(flip_each(&image, &image.control, 0..length), 1);
}

#[test]
fn a_ring_whose_control_file_is_gone_is_left_alone() {
    let image = image();
    std::fs::remove_file(&image.control).expect("remove");
    let refused = Spool::adopt(&image.ring).map(|_| ()).expect_err("nobody knows whose items they are");
    assert!(refused.to_string().contains("cannot be read"), "{refused}");
    assert!(image.ring.exists(), "and it stays where it is");
}
