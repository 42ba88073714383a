//! `corral log show RUN`: a run's events as the log has them, decoded, with their positions and what deduplication said.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use corral_domain::limits::PROJECTOR_READ_BYTES_MAX;
use corral_domain::{Envelope, Offset, OrganizationId, Partition, RunEntry, RunId, StreamKey};
use corral_event_log::{EventLog, LogError, Record};
use corral_projection::said::{Deduplication, Said};
use corral_read_store::layout::Row as _;
use corral_read_store::project::{DeadLetterRow, dead_letter_key};
use corral_read_store::{ReadStore, StoreError};

use crate::said::Saying;

/// Metrics that are named of one entry.
const METRICS_SHOWN_MAX: usize = 16;
const LOOK_MS: u64 = 20;

/// What it reads: the log, and of the store which events became dead letters.
#[derive(Clone)]
pub(crate) struct LogShow {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) store: Arc<dyn ReadStore>,
    /// How long what was just appended may take to be projected; 0 where no projector runs.
    pub(crate) wait_ms_max: u64,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ShowError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no event of run {0} in the event log")]
    NoEvent(RunId),
}

impl LogShow {
    /// Says every record of the run, oldest first, up to where the log ends now; answers with a line about all of them.
    pub(crate) async fn show(
        &self,
        organization: OrganizationId,
        run: &RunId,
        say: &Saying,
    ) -> Result<String, ShowError> {
        let stream = StreamKey::run(organization, run);
        let partition = stream.partition(self.log.identity().partitions);
        let extent = self.log.extent(partition).await?;
        let projected = self.projected(partition, extent.tail).await?;
        let (mut stage, mut next, mut shown, mut hole) = (Deduplication::default(), extent.start, 0_u64, None);
        while next < extent.tail {
            let batch = self.log.read(partition, next, PROJECTOR_READ_BYTES_MAX).await?;
            for at in &batch.holes {
                say.line(format!("{partition}:{} to {partition}:{} cannot be read", at.from, at.to)).await;
                hole = hole.or(Some(at.from));
            }
            for record in batch.records.iter().filter(|record| record.offset < extent.tail) {
                let Ok(envelope) = corral_event_codec::decode_envelope(&record.bytes) else { continue };
                if envelope.stream != stream {
                    continue;
                }
                let refused = self.refused(partition, record.offset).await?;
                let fate = match &refused {
                    Some(reason) => format!("; dead letter: {reason:?}"),
                    None if record.offset >= projected => "; not projected yet".to_owned(),
                    None => String::new(),
                };
                let hole_before = hole.is_some_and(|hole| hole < record.offset);
                let said = stage.say(&envelope, hole_before, refused.is_some());
                shown += 1;
                if !say.line(describe(partition, record, &envelope, (&said, &fate))).await {
                    return Ok(String::new());
                }
            }
            next = batch.next;
        }
        match shown {
            0 => Err(ShowError::NoEvent(run.clone())),
            shown => Ok(format!("{shown} events in partition {partition}, [{}, {})", extent.start, extent.tail)),
        }
    }

    /// Up to where the store has the partition; waits a moment for `tail`.
    async fn projected(&self, partition: Partition, tail: Offset) -> Result<Offset, StoreError> {
        let mut waited_ms = 0;
        loop {
            let checkpoint = self.store.checkpoint(partition).await?.unwrap_or_default();
            if checkpoint.offset >= tail || checkpoint.stopped.is_some() || waited_ms >= self.wait_ms_max {
                return Ok(checkpoint.offset);
            }
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            waited_ms += LOOK_MS;
        }
    }

    /// Why a record is a dead letter, if it is one.
    async fn refused(&self, partition: Partition, offset: Offset) -> Result<Option<String>, StoreError> {
        let row = self.store.get(&dead_letter_key(partition, offset)).await?;
        Ok(row.map(|row| DeadLetterRow::decode(&row)).transpose()?.map(|row| row.reason))
    }
}

/// A record's own line, and one for each entry. What people wrote is quoted and escaped.
fn describe(partition: Partition, record: &Record, envelope: &Envelope, (said, fate): (&Said, &str)) -> String {
    let at = jiff::Timestamp::from_microsecond(record.append_time.0);
    let at = at.map_or_else(|_| record.append_time.0.to_string(), |at| at.to_string());
    let mut out = format!("{partition}:{} {at} {:?} by {}", record.offset, envelope.kind, envelope.actor);
    // Writing to a text cannot fail.
    if let Some(range) = envelope.writer {
        let _ = write!(out, " writer {}/{} items {}", range.writer, range.epoch, span(range.first, range.last));
    }
    let _ = write!(out, " take {}: {}{fate}", envelope.take.0, verdict(said, envelope));
    if envelope.writer.is_some() {
        entries(&mut out, envelope);
    }
    out
}

fn span(first: u64, last: u64) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn verdict(said: &Said, envelope: &Envelope) -> String {
    let range = envelope.writer.map(|range| (range.first, range.last));
    match said {
        Said::NoItems => "has no items".to_owned(),
        Said::Applies(keep) if range.is_some_and(|range| keep == &[range]) => "applies".to_owned(),
        Said::Applies(keep) => {
            let kept: Vec<String> = keep.iter().map(|(from, to)| span(*from, *to)).collect();
            format!("trimmed, {} applies", kept.join(", "))
        }
        Said::Skipped { hw } if range.is_some_and(|(first, _)| first > hw.saturating_add(1)) => {
            format!("skipped: does not follow item {hw}")
        }
        Said::Skipped { hw } => format!("skipped: everything up to item {hw} was applied before"),
    }
}

fn entries(out: &mut String, envelope: &Envelope) {
    let entries = match corral_event_codec::decode_run_items(&envelope.payload) {
        Ok(entries) => entries,
        Err(error) => {
            let _ = write!(out, "\n    cannot be decoded: {:?}", error.to_string());
            return;
        }
    };
    let mut seq = envelope.writer.map_or(1, |range| range.first);
    for entry in entries {
        let items = entry.items();
        let last = seq.saturating_add(items.saturating_sub(1));
        let _ = write!(out, "\n    {} {}", span(seq, last), entry_text(&entry));
        seq = seq.saturating_add(items);
    }
}

fn entry_text(entry: &RunEntry) -> String {
    match entry {
        RunEntry::Points(group) => {
            let steps = || (0..group.rows as usize).map(|row| group.step(row));
            let steps = steps().min().zip(steps().max());
            let steps = steps.map_or_else(String::new, |(from, to)| format!(" steps {from} to {to}"));
            let metrics: Vec<u32> = group.columns.iter().map(|column| column.metric).collect();
            let more = metrics.len().saturating_sub(METRICS_SHOWN_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let metrics = &metrics[..metrics.len().min(METRICS_SHOWN_MAX)];
            format!("points: {} rows of metrics {metrics:?}{more}{steps}", group.rows)
        }
        RunEntry::Object(object) => format!(
            "object: metric {} step {} {:?}, {} bytes",
            object.metric,
            object.step,
            object.media_type,
            object.body.len()
        ),
        // Everything else is small, and its derived form quotes and escapes every text.
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests;
