//! Directories that released formats wrote, kept for ever: each opens and shows what was appended then.
//!
//! `CORRAL_WRITE_FIXTURE=DIR` makes the one of this version, once, when a version is new.

use std::fs;
use std::path::Path;

use corral_domain::{Offset, Partition};
use corral_event_log::EventLog;
use corral_event_log_embedded::EmbeddedLog;
use corral_event_log_embedded::disk::DiskStorage;
use corral_event_log_embedded::sim::{Image, SimStorage};

use crate::common::{open, options, payload, view};

const APPENDS: u64 = 12;

/// What every fixture holds: a trimmed partition with sealed segments, and one that was appended to once.
async fn write(root: &Path) {
    let storage = DiskStorage::open(root).expect("no other owner");
    let log = EmbeddedLog::open(std::sync::Arc::new(storage), options()).expect("the log opens");
    for index in 0..APPENDS {
        log.append(Partition(0), vec![payload(index), payload(100 + index)]).await.expect("acknowledged");
    }
    log.append(Partition(1), vec![payload(200)]).await.expect("acknowledged");
    log.trim(Partition(0), Offset(12)).await.expect("trimmed");
}

fn read(root: &Path) -> Image {
    let mut image = Image::default();
    for dir in ["", "p00000", "p00001"] {
        for entry in fs::read_dir(root.join(dir)).expect("the fixture has it") {
            let path = entry.expect("it can be read").path();
            let name = path.strip_prefix(root).expect("below").to_str().expect("UTF-8").to_owned();
            if path.is_dir() {
                image.dirs.insert(name);
            } else if name != "LOCK" {
                image.files.insert(name, fs::read(&path).expect("it can be read"));
            }
        }
    }
    image
}

#[tokio::test]
async fn every_released_format_opens() {
    if let Some(root) = std::env::var_os("CORRAL_WRITE_FIXTURE") {
        write(Path::new(&root)).await;
    }
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut versions = 0;
    for version in fs::read_dir(fixtures).expect("there are fixtures") {
        let root = version.expect("it can be read").path();
        let log = open(SimStorage::new(read(&root)));
        let views = view(&log).await;
        assert!(views[0].start > 0 && views[0].start <= 12, "{}: trimmed", root.display());
        assert_eq!((views[0].tail, views[1].tail), (2 * APPENDS, 1));
        for (offset, (_, bytes)) in &views[0].records {
            assert_eq!(*bytes, payload(offset / 2 + 100 * (offset % 2)), "{}", root.display());
        }
        assert_eq!(views[0].records.len() as u64, views[0].tail - views[0].start);
        assert_eq!(views[1].records[&0].1, payload(200));
        assert!(views.iter().all(|view| view.holes.is_empty()));
        versions += 1;
    }
    assert!(versions >= 1, "no fixture was found");
}
