//! The canonical dump: everything that the read models show, in key order, without positions.

use std::fmt::Write as _;
use std::sync::Arc;

use corral_domain::{Micros, Offset, OrganizationId, RunId, Take};
use corral_event_log::LogIdentity;
use corral_hub::Hub;
use corral_query::{Engine, HistoryQuery, Options, ProjectsQuery, RunQuery, RunsQuery};
use corral_read_store::layout::Row;
use corral_read_store::run::{ObjectRow, RunHeadRow, RunRevisionRow, object_key, revision_key};
use corral_read_store::{Range, ReadStore, Table};
use corral_tasks::ManualClock;

pub(crate) async fn dump(store: &Arc<dyn ReadStore>, identity: LogIdentity, organization: OrganizationId) -> String {
    let clock = ManualClock::new(Micros(1_800_000_000_000_000)).clock();
    let options = Options { partitions: identity.partitions, log_epoch: identity.log_epoch };
    let engine = Engine::new(store.clone(), Hub::new(), clock, options);
    let mut out = String::new();
    let projects = ProjectsQuery { page_size: 1_000, ..ProjectsQuery::default() };
    let projects = engine.projects(organization, &projects).await.expect("projects").projects;
    for project in projects {
        writeln!(out, "{project:?}").expect("a text");
        let query = RunsQuery { project: project.id.to_string(), page_size: 1_000, ..RunsQuery::default() };
        let mut runs = engine.runs(organization, &query).await.expect("runs").runs;
        runs.sort_by(|a, b| a.id.cmp(&b.id));
        for run in runs {
            writeln!(out, "{run:?}").expect("a text");
            one_run(&engine, store, (organization, &run.id), &mut out).await;
        }
    }
    out
}

async fn one_run(
    engine: &Engine,
    store: &Arc<dyn ReadStore>,
    (organization, run): (OrganizationId, &RunId),
    out: &mut String,
) {
    let query = RunQuery { freshness: Default::default(), run: run.clone() };
    let answer = engine.run(organization, &query).await.expect("a run");
    writeln!(out, "{:?}\n{:?}\n{:?}", answer.run, answer.metrics, answer.writers).expect("a text");
    for take in 1..=answer.run.take.0 {
        let query = HistoryQuery {
            runs: vec![run.clone()],
            metrics: answer.metrics.iter().map(|metric| metric.name.clone()).collect(),
            take: Some(Take(take)),
            ..HistoryQuery::default()
        };
        for series in engine.history(organization, &query).await.expect("a history").series {
            writeln!(out, "{} {} {:?} {:?}", series.metric, series.label, series.take, series.columns).expect("a text");
        }
    }
    let revisions = revision_key(organization, run, Offset::ZERO).partition;
    for (_, row) in store.scan(Table::RunRevision, &revisions, Range::all(100_000)).await.expect("revisions") {
        let row = RunRevisionRow::decode(&row).expect("a revision");
        let head = RunHeadRow::decode(&row.head).expect("a head");
        writeln!(out, "{:?} {} {:?} {head:?} {:?}", row.append_time, row.actor, row.changed, row.config)
            .expect("a text");
    }
    let objects = object_key(organization, run, 0).partition;
    for (_, row) in store.scan(Table::Object, &objects, Range::all(100_000)).await.expect("objects") {
        writeln!(out, "{:?}", ObjectRow::decode(&row).expect("an object")).expect("a text");
    }
}
