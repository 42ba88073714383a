//! A topic that has forgotten everything, with its archive before it: one log, from the first record on.

use std::sync::Arc;

use corral_archive::{Archive, ArchivedLog, Limits, up_to_tail};
use corral_blob_store::failing;
use corral_domain::{Offset, Partition};
use corral_event_log::EventLog;
use corral_event_log::contract::read_all;

use crate::broker::{record, settings};
use crate::support::open;

const ONE: Partition = Partition(0);

#[tokio::test]
async fn what_the_topic_has_forgotten_is_read_from_the_archive() {
    let log: Arc<dyn EventLog> = Arc::new(open(&settings("archive")).await.expect("the log opens"));
    for batch in 0..20 {
        let records = (0..10).map(|index| record(batch * 10 + index)).collect();
        log.append(ONE, records).await.expect("an append");
    }
    let before = read_all(&*log, ONE, Offset::ZERO, 1_000).await;
    let archive = Archive::open(failing::lives(&failing::memory()), log.identity()).await.expect("an archive");
    let limits = Limits { segment_bytes_max: 1_000, ..Limits::default() };
    up_to_tail(&archive, &*log, &limits, &|_| {}).await.expect("it is archived");
    assert!(archive.entries(ONE).expect("entries").len() > 1);

    let tail = Offset(200);
    assert_eq!(log.trim(ONE, tail).await.expect("a trim"), tail);
    log.read(ONE, Offset::ZERO, 1).await.expect_err("the topic has nothing of it");
    let joined = ArchivedLog::new(log.clone(), Arc::new(archive)).expect("it is this log's");
    assert_eq!(joined.extent(ONE).await.expect("an extent").start, Offset::ZERO);
    assert_eq!(read_all(&joined, ONE, Offset::ZERO, 1_000).await, before);

    log.append(ONE, vec![record(200), record(201)]).await.expect("an append");
    let after = read_all(&joined, ONE, Offset(195), 50).await;
    let expect: Vec<_> = (195..202).map(record).collect();
    assert_eq!(after.iter().map(|record| record.bytes.clone()).collect::<Vec<_>>(), expect);
}
