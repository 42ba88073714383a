//! Builders of items: what a training program says of its run.

use bytes::Bytes;
use corral_domain::metric::MetricRegistered;
use corral_domain::run::{FinishState, GapAccepted, GapReason, RunFinished, RunOpened};
use corral_domain::scalar::{ConfigEntry, Scalar};
use corral_domain::{Column, CommandId, RunEntry, StepGroup, Value};

/// What an opening is unless a test says otherwise: of a new launch, `resume=None`.
pub fn opening(project: &str) -> RunOpened {
    let launch = format!("launch-{:016x}", rand::random::<u64>());
    RunOpened::new(CommandId::from_bytes(rand::random()), project, &launch)
}

pub fn registered(id: u32, name: &str) -> RunEntry {
    RunEntry::MetricRegistered(MetricRegistered { id, name: name.to_owned() })
}

/// One `log()` call.
pub fn row(step: i64, time_us: i64, values: &[(u32, Value)]) -> RunEntry {
    group(&[step], &[time_us], &values.iter().map(|(metric, value)| (*metric, vec![*value])).collect::<Vec<_>>())
}

/// `log()` calls with the same metrics. The values of a column are of one type.
pub fn group(steps: &[i64], times_us: &[i64], columns: &[(u32, Vec<Value>)]) -> RunEntry {
    let words = |words: &[i64]| -> Bytes { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
    let column = |(metric, values): &(u32, Vec<Value>)| {
        let kind = values.first().map_or(corral_domain::ColumnType::F64, |value| value.column_type());
        let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes().into_iter().take(kind.width()));
        Column { metric: *metric, kind, values: bytes.collect() }
    };
    RunEntry::Points(StepGroup {
        rows: steps.len() as u32,
        steps: words(steps),
        times: words(times_us),
        columns: columns.iter().map(column).collect(),
    })
}

pub fn config(path: &[&str], value: Option<Scalar>) -> RunEntry {
    RunEntry::ConfigChanged(vec![ConfigEntry { path: path.iter().map(|part| (*part).to_owned()).collect(), value }])
}

pub fn summary(key: &str, value: Option<Scalar>) -> RunEntry {
    RunEntry::SummaryChanged(vec![(key.to_owned(), value)])
}

/// The writer's last item; `seq` is its own.
pub fn finished(state: FinishState, exit_code: Option<i32>, message: &str, seq: u64) -> RunEntry {
    RunEntry::Finished(RunFinished { state, exit_code, message: message.to_owned(), last_seq: seq })
}

pub fn gap(from: u64, to: u64, why: GapReason) -> RunEntry {
    RunEntry::Gap(GapAccepted { from, to, why, detail: "a test".to_owned() })
}
