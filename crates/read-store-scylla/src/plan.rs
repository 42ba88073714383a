//! From mutations to requests: each writes rows of one partition, so that it applies whole on every replica.

use std::collections::HashMap;

use bytes::Bytes;
use corral_domain::limits::{CQL_BATCH_BYTES_MAX, CQL_BATCH_ROWS_MAX, CQL_MUTATION_BYTES_MAX, CQL_MUTATION_ROWS_MAX};
use corral_read_store::{Mutation, StoreError, Table, Write};

/// Rows of one partition that go out as one batch.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) writes: Vec<Write>,
    bytes: usize,
}

/// Gathers mutations of one partition while the batch stays small (measured: batches of 10 to 50 rows cost the engine a
/// fifth to a tenth a row); a mutation is never split. Which of two writes of a row wins is said by their timestamps, so
/// the order of requests does not matter.
pub(crate) fn requests(mutations: Vec<Mutation>) -> Result<Vec<Request>, StoreError> {
    let mut requests: Vec<Request> = Vec::new();
    let mut open: HashMap<(Table, Bytes), usize> = HashMap::new();
    for Mutation(writes) in mutations {
        let Some(first) = writes.first() else { continue };
        let (table, place) = (first.key.table, (first.key.table, first.key.partition.clone()));
        let bytes = check(table, &writes)?;
        let fits = |request: &Request| {
            request.bytes + bytes <= CQL_BATCH_BYTES_MAX && request.writes.len() + writes.len() <= CQL_BATCH_ROWS_MAX
        };
        match open.get(&place).and_then(|at| requests.get_mut(*at)).filter(|request| fits(request)) {
            Some(request) => {
                request.writes.extend(writes);
                request.bytes += bytes;
            }
            None => {
                open.insert(place, requests.len());
                requests.push(Request { writes, bytes });
            }
        }
    }
    Ok(requests)
}

/// The bytes of a mutation that can be sent.
fn check(table: Table, writes: &[Write]) -> Result<usize, StoreError> {
    let bytes = writes.iter().map(bytes_of).sum();
    let refused = |text: String| Err(StoreError::Invalid(format!("a mutation of {table:?} {text}")));
    if writes.iter().any(|write| write.key.table != table || write.key.partition != writes[0].key.partition) {
        return refused("writes rows of several partitions".to_owned());
    }
    if writes.len() > CQL_MUTATION_ROWS_MAX {
        return refused(format!("has {} rows, more than {CQL_MUTATION_ROWS_MAX}", writes.len()));
    }
    if bytes > CQL_MUTATION_BYTES_MAX {
        return refused(format!("has {bytes} bytes, more than {CQL_MUTATION_BYTES_MAX}"));
    }
    if let Some(write) = writes.iter().find(|write| i64::try_from(write.timestamp).is_err()) {
        return refused(format!("has the timestamp {}, more than {}", write.timestamp, i64::MAX));
    }
    Ok(bytes)
}

fn bytes_of(write: &Write) -> usize {
    /// Timestamp, lengths, and what an engine adds to a row.
    const ROW_BYTES: usize = 64;
    let value = write.value.as_ref().map_or(0, Bytes::len);
    write.key.partition.len() + write.key.clustering.len() + value + ROW_BYTES
}

#[cfg(test)]
mod tests;
