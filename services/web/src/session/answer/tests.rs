//! A client that puts what comes over what it has, has the whole row after each answer.

use corral_wire::proto::typed_value::Kind;

use super::*;

fn figure(key: &str, value: f64) -> proto::SummaryFigure {
    proto::SummaryFigure { key: key.to_owned(), value: Some(proto::TypedValue { kind: Some(Kind::F64(value)) }) }
}

fn run(points: u64, loss: f64) -> proto::Run {
    proto::Run {
        id: "a".to_owned(),
        name: "owl".to_owned(),
        tags: vec!["first".to_owned()],
        config: vec![proto::ConfigFigure { path: vec!["lr".to_owned()], json: "0.1".to_owned() }],
        last_append_us: 1_000 + points as i64,
        max_step: points as i64,
        points,
        metrics: 2,
        summary: vec![figure("acc", 0.5), figure("loss", loss)],
        ..proto::Run::default()
    }
}

/// As `Answer.partial_runs` says it.
fn merged(before: &proto::Run, partial: proto::Run) -> proto::Run {
    let mut after = proto::Run {
        last_append_us: partial.last_append_us,
        max_step: partial.max_step,
        points: partial.points,
        metrics: partial.metrics,
        gap_items: partial.gap_items,
        ..before.clone()
    };
    for figure in partial.summary {
        match after.summary.iter_mut().find(|known| known.key == figure.key) {
            Some(known) => *known = figure,
            None => after.summary.push(figure),
        }
    }
    after
}

#[test]
fn a_row_comes_whole_once_and_then_in_parts_that_make_it_whole() {
    let mut sent = Sent::default();
    let mut has: Option<proto::Run> = None;
    let mut steps: Vec<(proto::Run, bool)> = vec![(run(1, 1.0), false), (run(2, 0.5), true), (run(3, 0.5), true)];
    let mut more = run(4, 0.4);
    more.summary.push(figure("lr", 0.1));
    more.gap_items = 7;
    steps.push((more.clone(), true));
    let mut renamed = more.clone();
    renamed.name = "fox".to_owned();
    steps.push((renamed.clone(), false));
    let mut finished = proto::Run { state: 2, finished_us: Some(9), ..renamed };
    steps.push((finished.clone(), false));
    finished.summary.remove(0);
    steps.push((finished, false));
    for (now, partial) in steps {
        let mut rows = [now.clone()];
        assert_eq!(sent.shorten(&mut rows), if partial { vec![0] } else { vec![] }, "{now:?}");
        let [row] = rows;
        let after = if partial { merged(has.as_ref().expect("a whole row before"), row) } else { row };
        assert_eq!(after, now);
        has = Some(after);
    }
}

#[test]
fn what_did_not_move_is_left_out() {
    let mut sent = Sent::default();
    sent.shorten(&mut [run(1, 1.0)]);
    let mut rows = [run(1, 1.0), run(2, 0.5)];
    rows[0].id = "b".to_owned();
    assert_eq!(sent.shorten(&mut rows), [1]);
    assert_eq!(rows[1].summary, [figure("loss", 0.5)]);
    assert!(rows[1].config.is_empty() && rows[1].name.is_empty() && rows[1].tags.is_empty());
    assert_eq!(rows[0].name, "owl", "a row that is new comes whole");
}

#[test]
fn nan_is_told_each_time_and_not_taken_for_another_row() {
    let mut sent = Sent::default();
    sent.shorten(&mut [run(1, f64::NAN)]);
    let mut rows = [run(2, 0.5)];
    assert_eq!(sent.shorten(&mut rows), [0]);
    let mut rows = [run(3, f64::NAN)];
    assert_eq!(sent.shorten(&mut rows), [0]);
    assert_eq!(rows[0].summary.len(), 1);
}
