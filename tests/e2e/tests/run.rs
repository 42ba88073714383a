//! A run's story: how it is opened, what is known of it, how it is listed, what became of it.

use std::time::Duration;

use corral_domain::run::{FinishState, GapReason, ObjectLogged, Resume, RunAttributesChanged, RunOpened};
use corral_domain::scalar::Scalar;
use corral_domain::{Micros, RunEntry, Value};
use corral_tasks::ManualClock;
use corral_testkit::answer::{config, error, figure, points, value};
use corral_testkit::items::{self, opening};
use corral_testkit::sandbox::refused;
use corral_testkit::{Sandbox, Stream, Writer};
use corral_wire::proto::{self, Opening, Refusal, RunState, append_response};
use serde_json::json;
use tonic::Code;

/// A moment of the manual clock: some day in 2030.
const DAY: Micros = Micros(1_900_000_000_000_000);

fn launched(project: &str, launch: &str, resume: Resume) -> RunOpened {
    RunOpened { launch_id: launch.to_owned(), resume, ..opening(project) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_is_created_joined_resumed_a_new_take_or_refused() {
    let sandbox = Sandbox::start().await;
    use Resume::{Allow, Must, Never, Unspecified};
    let created = (Opening::Created, Refusal::Unspecified);
    let refused = |why| (Opening::Unspecified, why);
    // (run, project, launch, resume) in order, and (outcome, take).
    let story = [
        (("a", "p", "l1", Must), refused(Refusal::Missing), 0),
        (("a", "p", "l1", Unspecified), created, 1),
        (("a", "p", "l1", Unspecified), (Opening::Joined, Refusal::Unspecified), 1),
        (("a", "p", "l1", Never), (Opening::Joined, Refusal::Unspecified), 1),
        (("a", "p", "l2", Never), refused(Refusal::Exists), 0),
        (("a", "q", "l2", Allow), refused(Refusal::OtherProject), 0),
        (("a", "p", "l2", Allow), (Opening::Resumed, Refusal::Unspecified), 1),
        (("a", "p", "l3", Must), (Opening::Resumed, Refusal::Unspecified), 1),
        (("a", "p", "l4", Unspecified), (Opening::NewTake, Refusal::Unspecified), 2),
        (("a", "p", "l1", Unspecified), (Opening::NewTake, Refusal::Unspecified), 3),
        (("b", "p", "l1", Never), created, 1),
        (("c", "p", "l1", Allow), created, 1),
        // Without a launch nobody joins.
        (("d", "p", "", Unspecified), created, 1),
        (("d", "p", "", Unspecified), (Opening::NewTake, Refusal::Unspecified), 2),
    ];
    for ((run, project, launch, resume), (how, why), take) in story {
        let writer = Writer::open(&sandbox, run, launched(project, launch, resume)).await;
        let opened = &writer.opened;
        let case = format!("{run} {project} {launch} {resume:?}");
        assert_eq!((opened.opening(), opened.refusal(), opened.take), (how, why, take), "{case}");
        assert_eq!(opened.project_id.is_empty(), take == 0, "{case}: who is refused learns of no project");
    }
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_has_the_same_outcome_and_a_resumed_run_goes_on_at_its_step() {
    let sandbox = Sandbox::start().await;
    let command = launched("p", "l1", Resume::Unspecified);
    let mut first = Writer::open(&sandbox, "a", command.clone()).await;
    first.series("loss", &[(0, Value::F64(1.0)), (41, Value::F64(0.5))]).await;
    // Item 1 again, as after an acknowledgement that was lost.
    let (next, take) = (std::mem::replace(&mut first.next, 1), std::mem::replace(&mut first.take, 0));
    let again = first.try_send(&[RunEntry::Opened(Box::new(command))]).await.unwrap().opened.unwrap();
    assert_eq!(again, first.opened);
    (first.next, first.take) = (next, take);
    let resumed = Writer::open(&sandbox, "a", launched("p", "l2", Resume::Must)).await;
    assert_eq!((resumed.opened.opening(), resumed.opened.next_step), (Opening::Resumed, 42));
    let rewound = Writer::open(&sandbox, "a", launched("p", "l3", Resume::Unspecified)).await;
    assert_eq!((rewound.opened.opening(), rewound.opened.next_step), (Opening::NewTake, 0));
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_take_hides_the_old_ones_and_late_items_go_to_theirs() {
    let sandbox = Sandbox::start().await;
    let mut old = Writer::create(&sandbox, "a").await;
    old.series("loss", &[(0, Value::F64(9.0)), (1, Value::F64(8.0))]).await;
    let mut new = Writer::open(&sandbox, "a", opening("p")).await;
    new.series("loss", &[(0, Value::F64(1.0))]).await;
    old.log(2, &[("loss", Value::F64(7.0))]).await;
    let of = async |take| {
        let request = proto::GetHistoryRequest { take, ..old.history(&["loss"]) };
        sandbox.history(request).await.unwrap().series.iter().map(points).collect::<Vec<_>>()
    };
    assert_eq!(of(None).await, [vec![(0, Value::F64(1.0))]], "the living take");
    assert_eq!(of(Some(1)).await, [vec![(0, Value::F64(9.0)), (1, Value::F64(8.0)), (2, Value::F64(7.0))]]);
    assert_eq!(of(Some(2)).await, of(None).await);
    assert_eq!(of(Some(3)).await, Vec::<Vec<_>>::new());
    let answer = old.seen(&sandbox).await;
    let run = answer.run.unwrap();
    assert_eq!((run.take, run.points, run.metrics), (2, 1, 1), "figures are the living take's");
    assert_eq!((run.max_step, figure(&run, "loss")), (0, answer.metrics[0].last.clone()));
    let as_of_us = Some(answer.meta.unwrap().complete_through_us);
    let pinned =
        sandbox.run("a", Some(proto::Freshness { as_of_us, not_before: Vec::new() })).await.unwrap().run.unwrap();
    assert_eq!((pinned.points, pinned.metrics, pinned.max_step), (run.points, run.metrics, run.max_step));
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_a_run_says_of_itself_is_shown_and_changes() {
    let sandbox = Sandbox::start().await;
    let said = RunOpened {
        name: "swift mesa".to_owned(),
        notes: "first\nlight".to_owned(),
        tags: vec!["a".to_owned(), "b".to_owned()],
        group: "g".to_owned(),
        job_type: "train".to_owned(),
        label: "rank 0".to_owned(),
        ..opening("p")
    };
    let mut writer = Writer::open(&sandbox, "a", said).await;
    let list = Scalar::List(vec![Scalar::U64(u64::MAX), Scalar::Null, Scalar::F64(f64::NAN)]);
    let values = [
        (&["lr"][..], Scalar::F64(1e-3), "0.001"),
        (&["a", "b"], Scalar::I64(-7), "-7"),
        (&["a.b"], Scalar::U64(u64::MAX), "18446744073709551615"),
        (&["big"], Scalar::I64((1 << 53) + 1), "9007199254740993"),
        (&["nan"], Scalar::F64(f64::NAN), "\"NaN\""),
        (&["inf"], Scalar::F64(f64::NEG_INFINITY), "\"-Infinity\""),
        (&["zero"], Scalar::F64(-0.0), "-0.0"),
        (&["no"], Scalar::Null, "null"),
        (&["yes"], Scalar::Bool(true), "true"),
        (&["text"], Scalar::Text("a \"b\"\u{202e}".to_owned()), "\"a \\\"b\\\"\u{202e}\""),
        (&["list"], list, "[18446744073709551615,null,\"NaN\"]"),
    ];
    for (path, value, _) in &values {
        writer.send(&[items::config(path, Some(value.clone()))]).await;
    }
    let run = writer.seen(&sandbox).await.run.unwrap();
    for (path, _, shown) in &values {
        assert_eq!(config(&run, path).as_deref(), Some(*shown), "{path:?}");
    }
    assert_eq!(
        (run.name.as_str(), run.notes.as_str(), &run.tags[..]),
        ("swift mesa", "first\nlight", &["a", "b"].map(String::from)[..])
    );
    assert_eq!((run.group.as_str(), run.job_type.as_str(), run.actor.as_str()), ("g", "train", "owner"));
    let change = RunAttributesChanged { name: Some("other".to_owned()), notes: None, tags: Some(vec!["c".to_owned()]) };
    writer.send(&[items::config(&["lr"], Some(Scalar::Text("auto".to_owned()))), items::config(&["no"], None)]).await;
    writer.send(&[RunEntry::AttributesChanged(change)]).await;
    let answer = writer.seen(&sandbox).await;
    let run = answer.run.unwrap();
    assert_eq!((config(&run, &["lr"]).as_deref(), config(&run, &["no"])), (Some("\"auto\""), None));
    assert_eq!(
        (run.name.as_str(), run.notes.as_str(), &run.tags[..]),
        ("other", "first\nlight", &["c".to_owned()][..])
    );
    let sent = &answer.writers[0];
    assert_eq!((sent.label.as_str(), sent.last_seq, sent.actor.as_str()), ("rank 0", writer.next - 1, "owner"));
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_are_counted_objects_are_kept_and_nothing_is_applied_twice() {
    let sandbox = Sandbox::start().await;
    let mut writer = Writer::create(&sandbox, "a").await;
    writer.series("loss", &[(0, Value::F64(1.0)), (1, Value::F64(2.0))]).await;
    let from = writer.next;
    writer.send(&[items::gap(from, from + 9, GapReason::SpoolFull)]).await;
    let object = ObjectLogged {
        metric: 0,
        step: 2,
        time_us: 2,
        media_type: "text/plain".to_owned(),
        body: "<b>kept</b>".into(),
    };
    writer.send(&[RunEntry::Object(object)]).await;
    // The last 3 items again, with another bound: a gap and an object, then one that is new.
    let next = std::mem::replace(&mut writer.next, from);
    let resent = writer.try_send(&[items::gap(from, from + 9, GapReason::SpoolFull)]).await;
    assert_eq!(resent.unwrap().ack.unwrap().seq, from + 9, "doors never deduplicate");
    writer.next = next;
    writer.log(3, &[("loss", Value::F64(3.0))]).await;
    let answer = writer.seen(&sandbox).await;
    let run = answer.run.unwrap();
    assert_eq!((run.gap_items, run.points, run.max_step), (10, 3, 3));
    assert_eq!((answer.writers[0].gap_items, answer.writers[0].last_seq), (10, writer.next - 1));
    // What no panel draws is in the log, whole.
    let body = json!({ "run_id": "a" }).to_string();
    let request = sandbox.request("POST", "/api/log-show").header("content-type", "application/json");
    let shown = sandbox.send(request.body(body.into()).unwrap()).await.text();
    for expect in
        ["object: metric 0 step 2 \\\"text/plain\\\", 11 bytes", "skipped: everything up to item", "SpoolFull"]
    {
        assert!(shown.contains(expect), "`{expect}` is not in\n{shown}");
    }
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_running_silent_crashed_finished_or_failed() {
    let clock = ManualClock::new(DAY);
    let sandbox = Sandbox::start_at(clock.clock()).await;
    let mut writer = Writer::create(&sandbox, "a").await;
    let state = async |writer: &Writer| writer.seen(&sandbox).await.run.unwrap().state();
    assert_eq!(state(&writer).await, RunState::Running);
    let mut steps =
        vec![(59, RunState::Running), (2, RunState::Silent), (238, RunState::Silent), (2, RunState::Crashed)];
    for (seconds, expect) in steps.drain(..) {
        clock.advance(Duration::from_secs(seconds));
        assert_eq!(state(&writer).await, expect, "after {seconds} s more");
    }
    // A heartbeat has no seq and no acknowledgement: what it says is seen in the run.
    let (mut stream, _) = Stream::open(sandbox.ingest()).await;
    stream.open_writer(1, "a", writer.id, (writer.next - 1, 0)).await;
    stream.send(proto::append_request::Frame::Heartbeat(proto::Heartbeat { handle: 1 })).await;
    sandbox.until(async || (state(&writer).await == RunState::Running).then_some(())).await;
    assert_eq!(writer.seen(&sandbox).await.writers[0].last_seq, writer.next - 1);

    clock.advance(Duration::from_secs(1));
    writer.finish(FinishState::Failed, Some(137), "out of memory").await;
    clock.advance(Duration::from_secs(3_600));
    let run = writer.seen(&sandbox).await.run.unwrap();
    assert_eq!((run.state(), run.exit_code, run.message.as_str()), (RunState::Failed, Some(137), "out of memory"));
    assert!(run.finished_us.is_some_and(|at| at == run.last_append_us && at > run.created_us), "{run:?}");
    // Late items are kept, and do not bring it back.
    writer.log(1, &[("loss", Value::F64(1.0))]).await;
    let run = writer.seen(&sandbox).await.run.unwrap();
    assert_eq!((run.state(), run.points), (RunState::Failed, 1));
    let mut resumed = Writer::open(&sandbox, "a", launched("p", "again", Resume::Allow)).await;
    let run = resumed.seen(&sandbox).await.run.unwrap();
    assert_eq!((run.state(), run.exit_code, run.finished_us), (RunState::Running, None, None));
    resumed.finish(FinishState::Finished, None, "").await;
    assert_eq!(state(&resumed).await, RunState::Finished);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_seen_as_of_a_moment_and_not_before_a_position() {
    let clock = ManualClock::new(DAY);
    let sandbox = Sandbox::start_at(clock.clock()).await;
    let mut writer = Writer::create(&sandbox, "a").await;
    let mut moments = Vec::new();
    for step in 0..3 {
        writer.send(&[items::config(&["phase"], Some(Scalar::I64(step)))]).await;
        writer.log(step, &[("loss", Value::F64(step as f64))]).await;
        clock.advance(Duration::from_secs(10));
        moments.push(clock.clock().now().0 - 1);
    }
    writer.finish(FinishState::Finished, Some(0), "").await;
    let fresh = |as_of_us| writer.fresh().map(|fresh| proto::Freshness { as_of_us, ..fresh });
    for (step, moment) in moments.iter().enumerate() {
        let answer = sandbox.run("a", fresh(Some(*moment))).await.unwrap();
        let run = answer.run.unwrap();
        assert_eq!(config(&run, &["phase"]), Some(step.to_string()), "as of {moment}");
        assert_eq!((run.points, run.state()), (step as u64 + 1, RunState::Running));
        assert_eq!(answer.metrics[0].last_step, step as i64);
        let request = proto::GetHistoryRequest { freshness: fresh(Some(*moment)), ..writer.history(&["loss"]) };
        let series = sandbox.history(request).await.unwrap().series;
        assert_eq!(points(&series[0]).len(), step + 1, "as of {moment}");
    }
    let before = sandbox.run("a", fresh(Some(DAY.0 - 1))).await;
    refused(before, Code::NotFound);
    let later = sandbox.run("a", fresh(Some(clock.clock().now().0 + 1_000_000_000))).await.unwrap();
    assert!(later.meta.unwrap().open, "that moment is not over");
    let now = sandbox.run("a", fresh(None)).await.unwrap();
    assert_eq!(now.run.unwrap().state(), RunState::Finished);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_does_not_come_is_unavailable_everywhere_and_says_where_it_stands() {
    let sandbox = Sandbox::start().await;
    let writer = Writer::create(&sandbox, "a").await;
    let partition = writer.position.partition;
    let far = proto::PartitionOffset { partition, offset: writer.position.offset + 1_000_000 };
    let freshness = Some(proto::Freshness { not_before: vec![far], as_of_us: None });
    let body = json!({ "notBefore": [{ "partition": partition, "offset": far.offset.to_string() }] });
    let (mut q1, mut q2) = (sandbox.query(), sandbox.query());
    let (projects, runs, run, history, over_json) = tokio::join!(
        q1.list_projects(proto::ListProjectsRequest { freshness: freshness.clone(), ..Default::default() }),
        q2.list_runs(proto::ListRunsRequest {
            freshness: freshness.clone(),
            project: "p".into(),
            ..Default::default()
        }),
        sandbox.run("a", freshness.clone()),
        sandbox.history(proto::GetHistoryRequest { freshness: freshness.clone(), ..writer.history(&["loss"]) }),
        sandbox.ask("GetRun", json!({ "freshness": body, "runId": "a" }).to_string()),
    );
    let late = [
        refused(projects, Code::Unavailable),
        refused(runs, Code::Unavailable),
        refused(run, Code::Unavailable),
        refused(history, Code::Unavailable),
    ];
    for status in late {
        let said = error(&status);
        let reached = said.position.iter().find(|at| at.partition == partition).expect("the position reached");
        assert!(said.retry_after_ms.is_some() && reached.offset <= far.offset, "{said:?}");
    }
    assert_eq!(over_json.status, 503);
    assert!(over_json.headers.contains_key("retry-after") && over_json.json()["position"].is_array());
    // Another partition's lateness is nobody else's.
    let other = proto::PartitionOffset { partition: (partition + 1) % 4, ..far };
    sandbox.run("a", Some(proto::Freshness { not_before: vec![other], as_of_us: None })).await.unwrap();
    sandbox.stop().await;
}

/// What a list of runs is sorted by, and the ids that come of it, ascending and descending.
type Sorted = (proto::run_order::By, [&'static str; 4], [&'static str; 4]);

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_by_every_field_both_ways_page_by_page() {
    use proto::RunField::{Created, LastActive, Name, State};
    use proto::run_order::By;
    let clock = ManualClock::new(DAY);
    let sandbox = Sandbox::start_at(clock.clock()).await;
    let mut position = Vec::new();
    // (id, name, loss, lr); they end in another order than they begin in.
    let runs = [
        ("r1", "delta", Some(0.5), None),
        ("r2", "alpha", None, Some(3)),
        ("r3", "charlie", Some(f64::NAN), Some(1)),
        ("r4", "bravo", Some(0.25), Some(2)),
    ];
    let mut writers = Vec::new();
    for (id, name, loss, lr) in runs {
        clock.advance(Duration::from_secs(1));
        let mut writer = Writer::open(&sandbox, id, RunOpened { name: name.to_owned(), ..opening("p") }).await;
        if let Some(loss) = loss {
            writer.log(1, &[("loss", Value::F64(loss))]).await;
        }
        if let Some(lr) = lr {
            writer.send(&[items::config(&["opt", "lr"], Some(Scalar::I64(lr)))]).await;
        }
        writers.push(writer);
    }
    for (at, state) in [(3, FinishState::Finished), (1, FinishState::Failed)] {
        clock.advance(Duration::from_secs(1));
        writers[at].finish(state, None, "").await;
    }
    position.extend(writers.iter().map(|writer| writer.position));
    let field = |field: proto::RunField| By::Field(field as i32);
    let sorted: [Sorted; 6] = [
        (field(Created), ["r1", "r2", "r3", "r4"], ["r4", "r3", "r2", "r1"]),
        (field(Name), ["r2", "r4", "r3", "r1"], ["r1", "r3", "r4", "r2"]),
        (field(State), ["r1", "r3", "r4", "r2"], ["r2", "r4", "r1", "r3"]),
        (field(LastActive), ["r1", "r3", "r4", "r2"], ["r2", "r4", "r3", "r1"]),
        (By::Summary("loss".into()), ["r4", "r1", "r3", "r2"], ["r1", "r4", "r3", "r2"]),
        (By::Config("opt.lr".into()), ["r3", "r4", "r2", "r1"], ["r2", "r4", "r3", "r1"]),
    ];
    let freshness = Some(proto::Freshness { not_before: position, as_of_us: None });
    for (by, ascending, descending) in sorted {
        for (descending, expect) in [(false, ascending), (true, descending)] {
            for page_size in [1, 3, 0] {
                let order = Some(proto::RunOrder { by: Some(by.clone()), descending });
                let request = proto::ListRunsRequest {
                    freshness: freshness.clone(),
                    project: "p".into(),
                    page_size,
                    order,
                    ..Default::default()
                };
                let ids = listed(&sandbox, request).await;
                assert_eq!(ids, expect, "{by:?} descending {descending} by {page_size}");
            }
        }
    }
    let request = proto::ListRunsRequest { freshness, project: "p".into(), ..Default::default() };
    assert_eq!(listed(&sandbox, request).await, ["r4", "r3", "r2", "r1"], "newest first");
    sandbox.stop().await;
}

/// Every page of a list.
async fn listed(sandbox: &Sandbox, mut request: proto::ListRunsRequest) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let answer = sandbox.query().list_runs(request.clone()).await.expect("a page").into_inner();
        assert_eq!(answer.total, 4);
        assert!(answer.runs.len() <= if request.page_size == 0 { 100 } else { request.page_size as usize });
        ids.extend(answer.runs.into_iter().map(|run| run.id));
        if answer.next_page_token.is_empty() {
            return ids;
        }
        request.page_token = answer.next_page_token;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_where_a_writer_stands_and_drains_before_the_server_goes() {
    let sandbox = Sandbox::start().await;
    let (mut stream, hello) = Stream::open(sandbox.ingest()).await;
    let id = [7; 16];
    assert_eq!(stream.open_writer(1, "a", id, (0, 0)).await, 1);
    stream.batch(1, 1, 0, &[RunEntry::Opened(Box::new(opening("p")))]).await;
    let mut take = 0;
    let mut acked = 0;
    while take == 0 {
        match stream.next().await.unwrap().unwrap() {
            append_response::Frame::Ack(ack) => acked = ack.seq,
            append_response::Frame::Opened(opened) => take = opened.take,
            other => panic!("{other:?}"),
        }
    }
    stream.batch(1, 2, take, &[items::registered(0, "loss"), items::row(1, 1, &[(0, Value::F64(1.0))])]).await;
    while acked < 3 {
        match stream.next().await.unwrap().unwrap() {
            append_response::Frame::Ack(ack) => (acked, _) = (ack.seq, assert_eq!(ack.log_epoch, hello.log_epoch)),
            other => panic!("{other:?}"),
        }
    }
    // A hole is refused with what is expected, and nothing of it is appended.
    stream.batch(1, 9, take, &[items::row(2, 2, &[(0, Value::F64(2.0))])]).await;
    let Ok(Some(append_response::Frame::Refused(hole))) = stream.next().await else { panic!("it is refused") };
    let why = hole.error.unwrap();
    assert_eq!((why.reason.as_str(), why.expected_seq, hole.first_seq), ("SEQ_GAP", Some(4), 9));

    // The same epoch: the door goes on from what the client knows. Another: from what the store has.
    let (mut again, _) = Stream::open(sandbox.ingest()).await;
    assert_eq!(again.open_writer(1, "a", id, (3, hello.log_epoch)).await, 4);
    let read = sandbox.until(async || {
        let writers = sandbox.run("a", None).await.ok()?.writers;
        writers.first().filter(|writer| writer.last_seq == 3).cloned()
    });
    read.await;
    assert_eq!(again.open_writer(2, "a", id, (17, hello.log_epoch + 1)).await, 4, "of another log epoch");
    assert_eq!(again.open_writer(3, "a", [8; 16], (17, hello.log_epoch + 1)).await, 1, "never seen in this one");

    let (drained, sandbox) = tokio::join!(
        async {
            let drain = stream.next().await.unwrap();
            let ended = stream.next().await;
            (drain, ended.is_err() || ended.is_ok_and(|frame| frame.is_none()))
        },
        sandbox.restart()
    );
    let (Some(append_response::Frame::Drain(drain)), true) = drained else { panic!("{drained:?}") };
    assert!(drain.reconnect_after_ms > 0);
    let run = sandbox.run("a", None).await.unwrap().run.unwrap();
    assert_eq!((run.points, value(&figure(&run, "loss").unwrap())), (1, Value::F64(1.0)));
    sandbox.stop().await;
}
