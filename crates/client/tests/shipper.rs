//! The whole client against a door that misbehaves: every item that was logged is applied once, in order.

#[allow(unreachable_pub, reason = "a module of this test")]
#[path = "support/door.rs"]
mod door;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corral_client::{Client, OpenRun, OpenedRun, Row, Run, Settings};
use corral_domain::Value;
use corral_domain::run::{FinishState, GapReason, Resume};
use door::{Applied, Door, Fault, State, Writer};

const WAIT: Duration = Duration::from_secs(30);

fn settings(url: &str, dir: &Path) -> Settings {
    let mut settings = Settings::from_env("test/1");
    settings.set_url(url);
    settings.set_key("key");
    settings.dir = dir.to_owned();
    settings
}

fn open(client: &Client, id: &str) -> Run {
    let text = String::new;
    let open = OpenRun {
        project: "p".into(),
        id: id.parse().expect("an id"),
        resume: Resume::Unspecified,
        launch_id: "l".into(),
        label: text(),
        name: text(),
        notes: text(),
        tags: Vec::new(),
        group: text(),
        job_type: text(),
        config: Vec::new(),
    };
    client.open_run(open).expect("a run")
}

/// Logs calls `from..to`: metric `m` has the call's number, every third call has another metric too.
fn log(run: &Run, from: i64, to: i64, with_step: bool) {
    let (m, n) = (run.metric("m").expect("m"), run.metric("n").expect("n"));
    for call in from..to {
        let mut row = Row::default();
        row.push(m, Value::F64(call as f64));
        if call % 3 == 0 {
            row.push(n, Value::I64(call));
        }
        run.log(&row, run.next_step(with_step.then_some(call))).expect("log");
    }
}

fn wait(run: &Run) {
    let clock = corral_tasks::Clock::system();
    while !run.wait(Duration::from_millis(100)) {
        assert!(clock.monotonic() < WAIT, "not durable: {:?}", run.progress());
    }
}

fn state(faults: Vec<Fault>) -> Arc<Mutex<State>> {
    Arc::new(Mutex::new(State { log_epoch: 1, actor: "ada".into(), faults, ..State::default() }))
}

fn writer_of(state: &Mutex<State>, run: &str) -> Writer {
    let state = state.lock().expect("the state");
    let mut found = state.writers.iter().filter(|((id, _), _)| id == run).map(|(_, writer)| writer.clone());
    let writer = found.next().expect("the run's writer");
    assert!(found.next().is_none(), "one writer");
    writer
}

/// The steps and first values of all points, in order.
fn points(writer: &Writer) -> Vec<(i64, f64)> {
    let point = |(_, item): &(u64, Applied)| match item {
        Applied::Point { step, values } => Some((*step, values[0].1)),
        _ => None,
    };
    writer.items.iter().filter_map(point).collect()
}

fn all(range: std::ops::Range<i64>) -> Vec<(i64, f64)> {
    range.map(|call| (call, call as f64)).collect()
}

/// 3,000 calls in pieces under a fault; all of it must be applied once, and the spool be gone.
fn check(faults: Vec<Fault>, expect: impl Fn(&State)) {
    let (dir, state) = (tempfile::tempdir().expect("a directory"), state(faults));
    let door = Door::start("127.0.0.1:0", state.clone());
    let client = Client::start(settings(&door.url, dir.path())).expect("a client");
    let run = open(&client, "r");
    for piece in 0..30 {
        log(&run, piece * 100, (piece + 1) * 100, true);
        run.wait(Duration::from_millis(5));
    }
    run.finish(FinishState::Finished, Some(0), "").expect("finish");
    wait(&run);
    let writer = writer_of(&state, "r");
    assert_eq!(points(&writer), all(0..3_000));
    assert_eq!(writer.items.first().map(|item| &item.1), Some(&Applied::Other("Opened".into())));
    assert_eq!(writer.items.last(), Some(&(3_004, Applied::Other("Finished".into()))));
    let progress = run.progress();
    assert_eq!((progress.sent, progress.durable), (3_004, 3_004));
    expect(&state.lock().expect("the state"));
    assert!(client.close(), "everything is durable");
    assert_eq!(std::fs::read_dir(dir.path().join("spool")).expect("the spool").count(), 0);
}

#[test]
fn a_run_is_sent_once_and_in_order() {
    check(Vec::new(), |state| {
        assert_eq!(state.connections, 1);
        assert!(state.batches < 200, "{} batches", state.batches);
    });
}

#[test]
fn connections_that_drop_with_unheard_acknowledgements() {
    check(vec![Fault::DropAfter(3)], |state| {
        assert!(state.connections >= 2, "{} connections", state.connections);
        assert!(state.writers.values().all(|writer| writer.again > 0), "something was sent again");
    });
}

#[test]
fn a_door_that_says_later() {
    check(vec![Fault::Overloaded(2)], |state| assert_eq!(state.connections, 1));
}

/// Within the connection: others of it may be busy for days.
#[test]
fn a_door_that_says_later_to_the_handshake() {
    let clock = corral_tasks::Clock::system();
    check(vec![Fault::LaterHandshakes(3)], |state| {
        assert_eq!((state.connections, state.handshakes), (1, 4));
    });
    assert!(clock.monotonic() >= Duration::from_millis(90), "each is waited for");
}

#[test]
fn a_door_that_drains() {
    check(vec![Fault::Drain(4)], |state| assert!(state.connections >= 2));
}

#[test]
fn a_refused_item_becomes_a_gap_and_the_rest_goes_on() {
    for index in [true, false] {
        let (dir, state) =
            (tempfile::tempdir().expect("a directory"), state(vec![Fault::Refuse { value: 666.0, index }]));
        let door = Door::start("127.0.0.1:0", state.clone());
        let client = Client::start(settings(&door.url, dir.path())).expect("a client");
        let run = open(&client, "r");
        log(&run, 0, 1_000, true);
        wait(&run);
        let writer = writer_of(&state, "r");
        assert_eq!(points(&writer), [all(0..666), all(667..1_000)].concat());
        let gaps: Vec<_> = writer.items.iter().filter(|(_, item)| matches!(item, Applied::Gap(_))).collect();
        assert_eq!(gaps, [&(3 + 667, Applied::Gap(GapReason::Refused))]);
    }
}

#[test]
fn steps_that_were_not_given_count_from_where_the_run_goes_on() {
    let (dir, state) = (tempfile::tempdir().expect("a directory"), state(Vec::new()));
    state.lock().expect("the state").next_step = 500;
    let door = Door::start("127.0.0.1:0", state.clone());
    let client = Client::start(settings(&door.url, dir.path())).expect("a client");
    let run = open(&client, "r");
    log(&run, 0, 10, false);
    wait(&run);
    assert_eq!(points(&writer_of(&state, "r")), (0..10).map(|call| (500 + call, call as f64)).collect::<Vec<_>>());
    let opened = run.wait_opened(WAIT);
    assert_eq!(opened, Some(OpenedRun::Opened { how: "created", take: 1, next_step: 500 }));
}

#[test]
fn a_server_that_is_not_there_yet_and_one_that_is_killed() {
    let (dir, state) = (tempfile::tempdir().expect("a directory"), state(Vec::new()));
    let first = Door::start("127.0.0.1:0", state.clone());
    let address = first.url.trim_start_matches("http://").to_owned();
    first.kill();
    let client = Client::start(settings(&first.url, dir.path())).expect("a client");
    let run = open(&client, "r");
    log(&run, 0, 100, true);
    for life in 1..=5_i64 {
        let door = loop {
            // The port may still be taken for a moment.
            if std::net::TcpListener::bind(&address).is_ok() {
                break Door::start(&address, state.clone());
            }
        };
        wait(&run);
        door.kill();
        log(&run, life * 100, (life + 1) * 100, true);
    }
    let _last = loop {
        if std::net::TcpListener::bind(&address).is_ok() {
            break Door::start(&address, state.clone());
        }
    };
    wait(&run);
    assert_eq!(points(&writer_of(&state, "r")), all(0..600));
}

#[test]
fn a_restored_log_gets_what_it_lacks() {
    let (dir, state) = (tempfile::tempdir().expect("a directory"), state(Vec::new()));
    let door = Door::start("127.0.0.1:0", state.clone());
    let client = Client::start(settings(&door.url, dir.path())).expect("a client");
    let run = open(&client, "r");
    log(&run, 0, 500, true);
    wait(&run);
    let address = door.url.trim_start_matches("http://").to_owned();
    door.kill();
    {
        // The backup ends after 200 items; its log has the next epoch.
        let mut state = state.lock().expect("the state");
        state.log_epoch = 2;
        for writer in state.writers.values_mut() {
            writer.items.truncate(200);
            writer.hw = 200;
        }
    }
    let _restored = loop {
        if std::net::TcpListener::bind(&address).is_ok() {
            break Door::start(&address, state.clone());
        }
    };
    log(&run, 500, 510, true);
    let clock = corral_tasks::Clock::system();
    while points(&writer_of(&state, "r")).len() < 510 {
        assert!(clock.monotonic() < WAIT, "{} points", points(&writer_of(&state, "r")).len());
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert_eq!(points(&writer_of(&state, "r")), all(0..510));
}

#[test]
fn an_ended_processs_ring_is_adopted_and_a_foreign_one_is_not() {
    let (dir, state) = (tempfile::tempdir().expect("a directory"), state(Vec::new()));
    let door = Door::start("127.0.0.1:0", state.clone());
    let address = door.url.trim_start_matches("http://").to_owned();
    door.kill();
    {
        let dead = Client::start(settings(&door.url, dir.path())).expect("a client");
        let run = open(&dead, "left-behind");
        log(&run, 0, 700, true);
        drop(run);
        assert!(!dead.close(), "nothing was sent");
    }
    let elsewhere = Client::start(settings("http://127.0.0.1:1", dir.path())).expect("a client");
    let run = open(&elsewhere, "elsewhere");
    log(&run, 0, 10, true);
    drop(run);
    elsewhere.close();
    drop(elsewhere);
    let _door = loop {
        if std::net::TcpListener::bind(&address).is_ok() {
            break Door::start(&address, state.clone());
        }
    };
    let client = Client::start(settings(&door.url, dir.path())).expect("a client");
    let _run = open(&client, "mine");
    let spool = dir.path().join("spool");
    let rings = || {
        let names = std::fs::read_dir(&spool).expect("the spool").flatten().map(|entry| entry.path());
        names.filter(|path| path.extension().is_some_and(|part| part == "ring")).count()
    };
    for _ in 0..300 {
        if rings() == 2 {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_eq!(rings(), 2, "this client's and the one for another server");
    assert_eq!(points(&writer_of(&state, "left-behind")), all(0..700));
    let state = state.lock().expect("the state");
    assert!(!state.writers.keys().any(|(run, _)| run == "elsewhere"));
}

#[test]
fn a_refused_run_is_told_and_costs_nothing_else() {
    let (dir, state) = (tempfile::tempdir().expect("a directory"), state(vec![Fault::RefuseOpening]));
    let door = Door::start("127.0.0.1:0", state.clone());
    let client = Client::start(settings(&door.url, dir.path())).expect("a client");
    let run = open(&client, "r");
    log(&run, 0, 10, true);
    assert!(matches!(run.wait_opened(WAIT), Some(OpenedRun::Refused(_))));
    wait(&run);
    let row = Row::default();
    assert!(run.log(&row, (0, false)).is_err(), "what is logged now goes nowhere, and log() says so");
    assert!(client.close());
}

#[test]
fn many_runs_share_a_spool_and_a_connection() {
    let (dir, state) = (tempfile::tempdir().expect("a directory"), state(vec![Fault::DropAfter(40)]));
    let door = Door::start("127.0.0.1:0", state.clone());
    let client = Client::start(settings(&door.url, dir.path())).expect("a client");
    let runs: Vec<Run> = (0..20).map(|number| open(&client, &format!("r{number}"))).collect();
    for piece in 0..10 {
        for run in &runs {
            log(run, piece * 50, (piece + 1) * 50, true);
        }
        runs[0].wait(Duration::from_millis(3));
    }
    for run in &runs {
        run.finish(FinishState::Failed, Some(3), "boom").expect("finish");
    }
    for (number, run) in runs.iter().enumerate() {
        wait(run);
        assert_eq!(points(&writer_of(&state, &format!("r{number}"))), all(0..500));
    }
    assert!(client.close());
}
