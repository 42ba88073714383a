//! Positions.

use corral_domain::{Append, Offset, Partition, Position};

use crate::error::ApiError;
use crate::proto;

pub fn position_to_proto(position: &Position) -> Vec<proto::PartitionOffset> {
    let pair = |(partition, offset): (&Partition, &Offset)| proto::PartitionOffset {
        partition: u32::from(partition.0),
        offset: offset.0,
    };
    position.0.iter().map(pair).collect()
}

/// One partition may be named twice: the later offset counts.
pub fn position_from_proto(field: &'static str, pairs: &[proto::PartitionOffset]) -> Result<Position, ApiError> {
    let mut position = Position::default();
    for pair in pairs {
        let partition = u16::try_from(pair.partition)
            .map_err(|_| ApiError::invalid(field, format!("partition {} does not exist", pair.partition)))?;
        position.advance(Partition(partition), Offset(pair.offset));
    }
    Ok(position)
}

/// What `not_before` takes: the offset after the record.
pub fn append_to_proto(append: Append) -> proto::PartitionOffset {
    proto::PartitionOffset { partition: u32::from(append.partition.0), offset: append.offset.0.saturating_add(1) }
}
