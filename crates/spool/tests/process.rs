//! What survives the death of the process that appended, and what a forked child may do.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use corral_spool::{Chunk, Cursor, ItemKind, Options, Owner, Spool, SpoolError, WriterIdentity, WriterIndex, orphans};

const CHILD: &str = "CORRAL_SPOOL_TEST_DIR";
/// Of 10 ms each.
const ADOPT_LOOKS_MAX: u32 = 500;

fn create(dir: &std::path::Path) -> (Spool, WriterIndex) {
    let options = Options { ring_bytes: 4 << 20, overflow_file_bytes: 1 << 20, ..Options::new(dir.to_owned()) };
    let mut id = [0; 16];
    id[..4].copy_from_slice(&std::process::id().to_le_bytes());
    let spool = Spool::create(options, Owner::default(), id, 5).expect("a spool");
    let writer =
        spool.open_writer(WriterIdentity { writer_id: [1; 16], epoch: 1, run_id: "r".into() }).expect("a writer");
    (spool, writer)
}

/// Not a test of its own: the child of the next one, which appends for ever and says how far it is.
#[test]
fn child_that_appends() {
    use std::io::Write;
    let Ok(dir) = std::env::var(CHILD) else { return };
    let (spool, writer) = create(dir.as_ref());
    let mut out = std::io::stdout();
    loop {
        let mut seq = 0;
        for _ in 0..50 {
            seq = spool.append_with(writer, 1, 200, |place| place.fill(7)).expect("append");
        }
        writeln!(out, "appended {seq}").expect("the pipe");
    }
}

#[test]
fn sigkill_loses_nothing_that_append_returned_for() {
    for round in 0..6_u64 {
        let dir = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "child_that_appends", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let seqs = lines.filter_map(|line| line.rsplit_once("appended ")?.1.parse::<u64>().ok());
        let mut last = 0;
        // In the ring at first, in overflow files in later rounds.
        let until = 3_000 + round * 8_000;
        for seq in seqs {
            last = seq;
            if seq >= until && seq < until + 50 {
                child.kill().expect("kill");
            }
        }
        child.wait().expect("wait");
        let found = orphans(dir.path(), &[]);
        assert_eq!(found.len(), 1);
        let spool = Spool::adopt(&found[0].path).expect("adopt").expect("its process has ended");
        let (mut cursor, mut chunk, mut next) = (Cursor::new(WriterIndex(0), 1), Chunk::default(), 1);
        while spool.read(&mut cursor, &mut chunk, 1 << 20, 100_000).expect("read") || !chunk.items.is_empty() {
            for item in &chunk.items {
                assert_eq!((item.seq, item.kind, chunk.payload(item)), (next, ItemKind::Client(1), &[7; 200][..]));
                next += 1;
            }
            chunk.clear();
        }
        assert!(last >= 3_000 && next > last, "round {round}: {last} were appended, {} are there", next - 1);
    }
}

#[test]
fn a_forked_child_is_refused_and_does_not_hold_the_lock() {
    let dir = tempfile::tempdir().expect("a directory");
    let (spool, writer) = create(dir.path());
    spool.append(writer, 1, b"before").expect("append");
    let path = spool.path().to_owned();
    let mut pipe = [0; 2];
    // SAFETY: plain calls; the child only touches atomics (append refuses before it takes the lock), writes one byte,
    // waits for the pipe's end and leaves without running anything of the test harness.
    let (child, answer) = unsafe {
        let mut hold = [0; 2];
        assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
        assert_eq!(libc::pipe(hold.as_mut_ptr()), 0);
        let child = libc::fork();
        if child == 0 {
            let refused = matches!(spool.append(writer, 1, b"child"), Err(SpoolError::Forked));
            libc::write(pipe[1], [u8::from(refused)].as_ptr().cast(), 1);
            libc::close(hold[1]);
            libc::read(hold[0], [0_u8; 1].as_mut_ptr().cast(), 1);
            libc::_exit(0);
        }
        let mut answer = [9_u8];
        libc::read(pipe[0], answer.as_mut_ptr().cast(), 1);
        libc::close(hold[0]);
        (child, (answer[0], hold[1]))
    };
    assert_eq!(answer.0, 1, "the child's append is refused");
    drop(spool);
    // A process that another test starts has the lock too, from its fork to its exec.
    let mut looks = 0..ADOPT_LOOKS_MAX;
    let adopted = looks.find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        Spool::adopt(&path).expect("adopt")
    });
    // SAFETY: ends the child that waits for this pipe.
    unsafe {
        libc::close(answer.1);
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    assert!(adopted.is_some(), "the living child must not keep its parent's ring locked");
}
