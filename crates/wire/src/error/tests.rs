//! The table of answers, and what travels with them.

use corral_domain::{Offset, Partition};

use super::*;

#[test]
fn the_table_of_answers() {
    let table = [
        (ErrorKind::Overload, Code::ResourceExhausted, 429, true),
        (ErrorKind::Unavailable, Code::Unavailable, 503, true),
        (ErrorKind::Precondition, Code::FailedPrecondition, 409, false),
        (ErrorKind::TooLarge, Code::OutOfRange, 413, false),
        (ErrorKind::Unauthenticated, Code::Unauthenticated, 401, false),
        (ErrorKind::NotFound, Code::NotFound, 404, false),
        (ErrorKind::Invalid, Code::InvalidArgument, 400, false),
        (ErrorKind::Unsupported, Code::InvalidArgument, 400, false),
    ];
    for (kind, grpc, http, retry) in table {
        let error = ApiError::new(kind, "x");
        assert_eq!((kind.grpc(), kind.http()), (grpc, http), "{kind:?}");
        assert_eq!(error.retry_after_ms.is_some(), retry, "{kind:?} says when to come back");
    }
}

#[test]
fn the_details_survive_the_trailer() {
    let mut error = ApiError::seq_gap(7, 9);
    error.item_index = Some(3);
    error.position.advance(Partition(2), Offset(40));
    let status = error.clone().retry_after_ms(250).status();
    assert_eq!(status.code(), Code::FailedPrecondition);
    let info = info_of(&status).expect("the trailer");
    assert_eq!((info.reason.as_str(), info.field.as_str()), ("SEQ_GAP", "first_seq"));
    assert_eq!((info.expected_seq, info.item_index, info.retry_after_ms), (Some(7), Some(3), Some(250)));
    assert_eq!(info.position, vec![proto::PartitionOffset { partition: 2, offset: 40 }]);
    let pushback = status.metadata().get("grpc-retry-pushback-ms").and_then(|v| v.to_str().ok());
    assert_eq!(pushback, Some("250"));
}
