//! What ends a run, where its spool is full.

use corral_spool::{Options, Owner, WriterIdentity};

use super::*;

#[test]
fn a_run_whose_last_item_was_not_taken_ends_all_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { control_bytes_max: 100, ..Options::new(dir.path().to_owned()) };
    let spool = Arc::new(Spool::create(options, Owner::default(), [1; 16], 1).expect("a spool"));
    let identity = WriterIdentity { writer_id: [1; 16], epoch: 1, run_id: "r".into() };
    let writer = spool.open_writer(identity).expect("a writer");
    spool.append_control(writer, item::ENTRY, |_| vec![0; 200]).expect("there is room yet");
    let id = "r".parse().expect("an id");
    let run = Run::new(id, Clock::system(), (spool.clone(), writer), (Arc::default(), Arc::default()));
    let refused = run.finish(FinishState::Finished, Some(0), "");
    assert!(matches!(refused, Err(ClientError::Spool(corral_spool::SpoolError::Limit { .. }))), "{refused:?}");
    assert!(spool.writer(writer).is_some_and(|writer| writer.closed), "nobody says any more that it lives");
}
