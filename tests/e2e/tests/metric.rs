//! A metric's story: every value exact through every door, its summary by every rule, its series by label and by bucket.

use corral_domain::metric::{Goal, MetricDef, SummaryRule};
use corral_domain::run::RunOpened;
use corral_domain::scalar::Scalar;
use corral_domain::{RunEntry, Value};
use corral_testkit::answer::{buckets, counts, figure, floats, ints, points, raw, value, values};
use corral_testkit::items::{self, opening};
use corral_testkit::{Sandbox, Socket, Writer};
use corral_wire::proto::{self, subscribe};
use serde_json::json;

/// Every type with the values that are easily lost, and how JSON spells each.
fn exact() -> Vec<(&'static str, Vec<Value>, serde_json::Value)> {
    let floats = [0.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX];
    let singles = [0.1_f32, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MAX];
    let whole = [i64::MIN, -1, 0, (1 << 53) + 1, i64::MAX];
    vec![
        (
            "f64",
            floats.map(Value::F64).to_vec(),
            json!([0.1, "NaN", "Infinity", "-Infinity", -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX]),
        ),
        ("f32", singles.map(Value::F32).to_vec(), json!([0.1, "NaN", "Infinity", "-Infinity", -0.0, 3.4028235e38])),
        (
            "i64",
            whole.map(Value::I64).to_vec(),
            json!(["-9223372036854775808", "-1", "0", "9007199254740993", "9223372036854775807"]),
        ),
        ("u64", [0, 1, u64::MAX].map(Value::U64).to_vec(), json!(["0", "1", "18446744073709551615"])),
        ("bool", [true, false, true].map(Value::Bool).to_vec(), json!([true, false, true])),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_are_exact_through_every_door() {
    let sandbox = Sandbox::start().await;
    let mut writer = Writer::create(&sandbox, "a").await;
    for (name, logged, _) in exact() {
        let logged: Vec<(i64, Value)> = (i64::MIN..).zip(logged).collect();
        writer.series(name, &logged).await;
    }
    let browser = sandbox.browser().await;
    let mut page = Socket::of_browser(&sandbox, &browser).await;
    for (at, (name, logged, spelled)) in (1..).zip(exact()) {
        let series = writer.raw(&sandbox, &[name]).await;
        assert_eq!(values(raw(&series[0])), logged, "{name} over gRPC");
        assert_eq!(ints(&raw(&series[0]).steps)[0], i64::MIN);
        let not_before =
            json!([{ "partition": writer.position.partition, "offset": writer.position.offset.to_string() }]);
        let request = json!({ "freshness": { "notBefore": not_before }, "runIds": ["a"], "metrics": [name] });
        let answer = sandbox.json("GetHistory", request).await;
        let shown = &answer["series"][0]["raw"]["values"][0]["values"];
        assert_eq!(shown.to_string(), spelled.to_string(), "{name} over JSON: {answer}");
        page.subscribe(at, subscribe::Query::History(writer.history(&[name]))).await;
        let Some(proto::answer::Body::History(history)) = page.answer().await.body else { panic!("a history") };
        assert_eq!(values(raw(&history.series[0])), logged, "{name} over a session");
        let run = writer.seen(&sandbox).await.run.unwrap();
        assert_eq!(value(&figure(&run, name).unwrap()), *logged.last().unwrap(), "{name} in the summary");
    }
    // A series that changes its type keeps each value's own.
    let mixed =
        [Value::I64((1 << 53) + 1), Value::F64(0.5), Value::F64(f64::NAN), Value::Bool(true), Value::U64(u64::MAX)];
    writer.series("mixed", &(0..).zip(mixed).collect::<Vec<_>>()).await;
    assert_eq!(values(raw(&writer.raw(&sandbox, &["mixed"]).await[0])), mixed);
    let sandbox = sandbox.restart().await;
    let history =
        sandbox.history(proto::GetHistoryRequest { freshness: None, ..writer.history(&["u64", "mixed"]) }).await;
    let history = history.unwrap();
    assert_eq!(values(raw(&history.series[0])).last(), Some(&Value::U64(u64::MAX)));
    assert_eq!(values(raw(&history.series[1])), mixed, "after a restart");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_follows_its_rule_and_the_hand_that_sets_it() {
    let sandbox = Sandbox::start().await;
    let mut writer = Writer::create(&sandbox, "a").await;
    let rules = [
        ("last", SummaryRule::Last, Goal::Unspecified, Some(2.0)),
        ("min", SummaryRule::Min, Goal::Unspecified, Some(-4.0)),
        ("max", SummaryRule::Max, Goal::Unspecified, Some(8.0)),
        ("mean", SummaryRule::Mean, Goal::Unspecified, Some(2.0)),
        ("best-min", SummaryRule::Best, Goal::Minimize, Some(-4.0)),
        ("best-max", SummaryRule::Best, Goal::Maximize, Some(8.0)),
        ("best", SummaryRule::Best, Goal::Unspecified, Some(2.0)),
        ("none", SummaryRule::None, Goal::Unspecified, None),
    ];
    for (name, summary, goal, _) in rules {
        let def = MetricDef { name: name.to_owned(), step_metric: "epoch".to_owned(), goal, summary };
        writer.send(&[RunEntry::MetricDefined(def)]).await;
        // The highest step comes third; at that step the later arrival counts. NaN is skipped, and counted.
        let logged = [(1, 8.0), (2, -4.0), (7, 1.0), (7, 2.0), (3, 3.0), (4, f64::NAN)];
        writer.series(name, &logged.map(|(step, value)| (step, Value::F64(value)))).await;
    }
    let answer = writer.seen(&sandbox).await;
    let run = answer.run.unwrap();
    for (name, summary, goal, expect) in rules {
        let metric = answer.metrics.iter().find(|metric| metric.name == name).unwrap();
        assert_eq!(figure(&run, name).map(|figure| value(&figure)), expect.map(Value::F64), "{name}");
        assert_eq!((metric.goal, metric.summary, metric.step_metric.as_str()), (goal as i32, summary as i32, "epoch"));
        assert_eq!((metric.count, metric.nan_count, metric.last_step), (6, 1, 7), "{name}");
        assert_eq!((metric.min, metric.max, metric.mean), (Some(-4.0), Some(8.0), Some(2.0)), "{name}");
    }
    writer
        .send(&[items::summary("last", Some(Scalar::I64(42))), items::summary("note", Some(Scalar::Text("x".into())))])
        .await;
    let run = writer.seen(&sandbox).await.run.unwrap();
    let json = |text: &str| Some(proto::TypedValue { kind: Some(proto::typed_value::Kind::Json(text.to_owned())) });
    assert_eq!((figure(&run, "last"), figure(&run, "note")), (json("42"), json("\"x\"")), "set by hand");
    writer.send(&[items::summary("last", None), items::summary("note", None)]).await;
    let run = writer.seen(&sandbox).await.run.unwrap();
    assert_eq!(
        (figure(&run, "last").map(|figure| value(&figure)), figure(&run, "note")),
        (Some(Value::F64(2.0)), None)
    );
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_have_series_of_their_own_and_takes_too() {
    let sandbox = Sandbox::start().await;
    let rank = |label: &str| RunOpened { label: label.to_owned(), launch_id: "job".to_owned(), ..opening("p") };
    let mut zero = Writer::open(&sandbox, "a", rank("0")).await;
    let mut one = Writer::open(&sandbox, "a", rank("1")).await;
    let mut twin = Writer::open(&sandbox, "a", rank("1")).await;
    zero.series("loss", &[(1, Value::F64(0.0))]).await;
    one.series("loss", &[(1, Value::F64(1.0))]).await;
    twin.series("loss", &[(2, Value::F64(2.0))]).await;
    let labels = |series: &[proto::Series]| series.iter().map(|series| series.label.clone()).collect::<Vec<_>>();
    let all = twin.raw(&sandbox, &["loss"]).await;
    assert_eq!(labels(&all), ["0", "1"]);
    assert_eq!(points(&all[1]), [(1, Value::F64(1.0)), (2, Value::F64(2.0))], "one label, one series, in log order");
    let only = proto::GetHistoryRequest { label: Some("0".to_owned()), ..twin.history(&["loss"]) };
    assert_eq!(labels(&sandbox.history(only).await.unwrap().series), ["0"]);
    let metric = &twin.seen(&sandbox).await.metrics[0];
    assert_eq!((metric.count, &metric.labels[..]), (3, &["0".to_owned(), "1".to_owned()][..]));
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_count_every_point_and_raw_points_come_in_pages() {
    let sandbox = Sandbox::start().await;
    let mut writer = Writer::create(&sandbox, "a").await;
    let logged: Vec<(i64, Value)> =
        (0..1_000).map(|step| (step, Value::F64(if step == 500 { f64::INFINITY } else { step as f64 }))).collect();
    writer.series("loss", &logged).await;
    for limit in [1, 7, 100, 2_000] {
        let request = proto::GetHistoryRequest { buckets: limit, ..writer.history(&["loss"]) };
        let series = sandbox.history(request).await.unwrap().series;
        let columns = buckets(&series[0]);
        assert!(columns.width.is_power_of_two() && series[0].rows <= limit, "{limit}: {columns:?}");
        let counted = counts(&columns.count);
        assert_eq!(counted.iter().sum::<u32>(), 1_000, "{limit}");
        let of_spike = ints(&columns.index).iter().position(|index| *index == 500 / columns.width as i64).unwrap();
        assert_eq!(
            (floats(&columns.max)[of_spike], floats(&columns.first_non_finite)[of_spike]),
            (f64::INFINITY, f64::INFINITY)
        );
        assert_eq!(floats(&columns.last).last(), Some(&999.0));
        assert_eq!(floats(&columns.min)[0], 0.0);
    }
    let mut request =
        proto::GetHistoryRequest { points_max: 300, x_min: Some(10), x_max: Some(989), ..writer.history(&["loss"]) };
    let mut seen = Vec::new();
    loop {
        let page = sandbox.history(request.clone()).await.unwrap();
        let of_page: Vec<_> = page.series.iter().flat_map(points).collect();
        assert!(of_page.len() <= 300);
        seen.extend(of_page);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen, logged[10..990]);
    for (axis, unit) in [(proto::XAxis::Time, 1_000), (proto::XAxis::Unspecified, 1)] {
        let request = proto::GetHistoryRequest {
            x_axis: axis as i32,
            x_min: Some(100 * unit),
            x_max: Some(104 * unit),
            ..writer.history(&["loss"])
        };
        assert_eq!(points(&sandbox.history(request).await.unwrap().series[0]), logged[100..105], "{axis:?}");
    }
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metric_is_drawn_by_its_step_metric_or_by_any_other() {
    let sandbox = Sandbox::start().await;
    let mut writer = Writer::create(&sandbox, "a").await;
    let def = MetricDef { name: "val/*".to_owned(), step_metric: "epoch".to_owned(), ..MetricDef::default() };
    writer.send(&[RunEntry::MetricDefined(def)]).await;
    let at = |step: i64, value: f64| (step, Value::F64(value));
    // An epoch of its own call, one that comes too late, one that is no number.
    writer.series("epoch", &[at(10, 0.5), at(20, 1.0), at(40, f64::NAN)]).await;
    writer.series("val/acc", &[at(10, 0.1), at(20, 0.2), at(30, 0.3), at(40, 0.4)]).await;
    writer.series("epoch", &[at(30, 1.5)]).await;
    writer.seen(&sandbox).await;
    let ask = |axis: proto::XAxis, x_metric: &str, buckets| proto::GetHistoryRequest {
        x_axis: axis as i32,
        x_metric: x_metric.to_owned(),
        buckets,
        ..writer.history(&["val/acc", "epoch"])
    };
    for (axis, x_metric) in [(proto::XAxis::Defined, ""), (proto::XAxis::Metric, "epoch")] {
        let series = sandbox.history(ask(axis, x_metric, 100)).await.unwrap().series;
        let columns = buckets(&series[0]);
        assert_eq!((&*series[0].x_metric, series[0].without_x, columns.width), ("epoch", 2, 0));
        assert_eq!((floats(&columns.x), floats(&columns.last)), (vec![0.5, 1.0], vec![0.1, 0.2]));
        let index: Vec<f64> = ints(&columns.index).iter().map(|index| *index as f64 * columns.x_width).collect();
        assert_eq!(index, [0.5, 1.0]);
    }
    let by_epoch = sandbox.history(ask(proto::XAxis::Metric, "epoch", 0)).await.unwrap().series;
    assert_eq!((points(&by_epoch[0]), by_epoch[0].without_x), (vec![at(10, 0.1), at(20, 0.2)], 2));
    assert_eq!(floats(&raw(&by_epoch[0]).x), [0.5, 1.0]);
    let by_step = sandbox.history(ask(proto::XAxis::Unspecified, "", 100)).await.unwrap().series;
    assert_eq!((&*by_step[0].x_metric, by_step[0].rows), ("", 4));
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_sees_points_as_they_come() {
    let sandbox = Sandbox::start().await;
    let mut writer = Writer::create(&sandbox, "a").await;
    writer.log(1, &[("loss", Value::F64(1.0))]).await;
    let browser = sandbox.browser().await;
    let mut page = Socket::of_browser(&sandbox, &browser).await;
    let history = proto::GetHistoryRequest { buckets: 100, ..writer.history(&["loss"]) };
    page.subscribe(1, subscribe::Query::History(history)).await;
    page.subscribe(
        2,
        subscribe::Query::Run(proto::GetRunRequest { run_id: "a".to_owned(), freshness: writer.fresh() }),
    )
    .await;
    let (mut histories, mut runs) = (0_u32, 0);
    while histories == 0 || runs == 0 {
        let answer = page.answer().await;
        assert!(answer.whole, "the first answer is whole");
        match answer.body {
            Some(proto::answer::Body::History(history)) => histories += history.series[0].rows,
            Some(proto::answer::Body::Run(run)) => runs = run.run.unwrap().points,
            other => panic!("{other:?}"),
        }
    }
    writer.log(2, &[("loss", Value::F64(2.0))]).await;
    let (mut last, mut seen) = (None, 0);
    while last != Some(2.0) || seen != 2 {
        match page.answer().await.body {
            Some(proto::answer::Body::History(history)) => {
                last = floats(&buckets(&history.series[0]).last).last().copied();
            }
            Some(proto::answer::Body::Run(run)) => seen = run.run.unwrap().points,
            other => panic!("{other:?}"),
        }
    }
    sandbox.stop().await;
}
