//! Waiting for what was asked for, and saying what an answer is worth.

use std::time::Duration;

use corral_domain::limits::NOT_BEFORE_WAIT_MS_MAX;
use corral_domain::{Micros, Offset, Partition, Position};
use corral_hub::{Heard, Message};
use corral_read_store::Checkpoint;

use crate::engine::Inner;
use crate::error::RETRY_AFTER_MS;
use crate::watch::LOOK_MS;
use crate::{Freshness, Meta, QueryError};

/// Partitions that a request may name: nobody has more, so a longer list is a mistake.
const NOT_BEFORE_COUNT_MAX: usize = 4_096;

/// The checkpoints of the partitions that answer, read before anything else: everything below them is in the answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(pub(crate) Vec<(Partition, Checkpoint)>);

impl Cut {
    pub(crate) fn offset(&self, partition: Partition) -> Offset {
        self.0.iter().find(|(p, _)| *p == partition).map(|(_, c)| c.offset).unwrap_or_default()
    }

    pub(crate) fn position(&self) -> Position {
        Position(self.0.iter().map(|(partition, checkpoint)| (*partition, checkpoint.offset)).collect())
    }

    pub(crate) fn meta(&self, as_of: Option<Micros>) -> Meta {
        let complete_through = self.0.iter().map(|(_, c)| c.complete_through).min().unwrap_or_default();
        let stopped = self.0.iter().filter(|(_, c)| c.stopped.is_some());
        Meta {
            position: self.position(),
            complete_through,
            open: as_of.is_some_and(|as_of| as_of > complete_through),
            stale_since: stopped.map(|(_, c)| c.stale_since).min(),
        }
    }
}

impl Inner {
    /// Checks the request's freshness, waits for what of it concerns `partitions`, and says where they stand.
    pub(crate) async fn cut(&self, freshness: &Freshness, partitions: &[Partition]) -> Result<Cut, QueryError> {
        let mut wanted = Position::default();
        if freshness.not_before.len() > NOT_BEFORE_COUNT_MAX {
            let reason = format!("must have at most {NOT_BEFORE_COUNT_MAX} entries");
            return Err(QueryError::invalid("freshness.not_before", reason));
        }
        for (partition, offset) in &freshness.not_before {
            if partition.0 >= self.options.partitions {
                let reason = format!("names partition {partition}; this log has {}", self.options.partitions);
                return Err(QueryError::invalid("freshness.not_before", reason));
            }
            // Only what answers is waited for.
            if partitions.contains(partition) {
                wanted.advance(*partition, *offset);
            }
        }
        let cut = self.checkpoints(partitions).await?;
        if reached(&cut, &wanted) { Ok(cut) } else { self.wait(&wanted, partitions).await }
    }

    async fn wait(&self, wanted: &Position, partitions: &[Partition]) -> Result<Cut, QueryError> {
        let waited = tokio::time::timeout(Duration::from_millis(NOT_BEFORE_WAIT_MS_MAX), async {
            // Before the look, so that nothing falls between.
            let mut hub = self.hub.subscribe();
            loop {
                let cut = self.checkpoints(partitions).await?;
                if reached(&cut, wanted) {
                    return Ok::<_, QueryError>(cut);
                }
                let news = async {
                    while let Some(heard) = hub.next().await {
                        match heard {
                            Heard::Message(Message::Nudge(nudge)) if wanted.0.contains_key(&nudge.partition) => return,
                            Heard::Message(Message::Checkpointed { partition, .. })
                                if wanted.0.contains_key(&partition) =>
                            {
                                return;
                            }
                            Heard::Message(_) => {}
                            Heard::Lagged => return,
                        }
                    }
                    std::future::pending().await
                };
                // A nudge may be lost: look once a second all the same.
                let _ = tokio::time::timeout(Duration::from_millis(LOOK_MS), news).await;
            }
        });
        match waited.await {
            Ok(cut) => cut,
            Err(_) => Err(QueryError::Unavailable {
                reason: format!("the read store did not reach not_before within {NOT_BEFORE_WAIT_MS_MAX} ms"),
                retry_after_ms: RETRY_AFTER_MS,
                position: self.checkpoints(partitions).await?.position(),
            }),
        }
    }

    pub(crate) async fn checkpoints(&self, partitions: &[Partition]) -> Result<Cut, QueryError> {
        let mut cut = Cut::default();
        for partition in partitions {
            cut.0.push((*partition, self.store.checkpoint(*partition).await?.unwrap_or_default()));
        }
        Ok(cut)
    }
}

/// True if every wanted partition is there, or is stopped and will not come.
fn reached(cut: &Cut, wanted: &Position) -> bool {
    cut.0.iter().all(|(partition, checkpoint)| {
        checkpoint.stopped.is_some() || checkpoint.offset >= wanted.0.get(partition).copied().unwrap_or_default()
    })
}

/// Lists are answered live: they refuse `as_of` by name.
pub(crate) fn refuse_as_of(freshness: &Freshness) -> Result<(), QueryError> {
    match freshness.as_of {
        None => Ok(()),
        Some(_) => Err(QueryError::unsupported("freshness.as_of", "is answered for one run and its history only")),
    }
}

#[cfg(test)]
mod tests;
