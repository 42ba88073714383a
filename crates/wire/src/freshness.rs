//! How fresh an answer must be, and what it is worth.

use corral_domain::Micros;
use corral_query::{Freshness, Meta};

use crate::error::ApiError;
use crate::position::{position_from_proto, position_to_proto};
use crate::proto;

pub(crate) fn freshness_from_proto(freshness: Option<proto::Freshness>) -> Result<Freshness, ApiError> {
    let Some(freshness) = freshness else { return Ok(Freshness::default()) };
    let position = position_from_proto("freshness.not_before", &freshness.not_before)?;
    Ok(Freshness { not_before: position.0.into_iter().collect(), as_of: freshness.as_of_us.map(Micros) })
}

pub(crate) fn meta_to_proto(meta: &Meta) -> proto::AnswerMeta {
    proto::AnswerMeta {
        position: position_to_proto(&meta.position),
        complete_through_us: meta.complete_through.0,
        open: meta.open,
        stale_since_us: meta.stale_since.map(|at| at.0),
    }
}
