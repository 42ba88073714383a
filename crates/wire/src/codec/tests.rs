//! What this server does not know is refused by its number.

use super::*;
use crate::proto;

fn check(bytes: Vec<u8>, expect: Result<&str, &str>) {
    let decoded = decode_request::<proto::ListRunsRequest>(&bytes.into());
    let decoded = decoded.as_ref().map(|request| request.project.as_str()).map_err(|error| &*error.message);
    assert_eq!(decoded, expect);
}

#[test]
fn an_unknown_field_is_refused_by_its_number() {
    let known = proto::ListRunsRequest { project: "p".into(), ..Default::default() };
    check(known.encode_to_vec(), Ok("p"));
    // Field 99, varint 1.
    check(
        [known.encode_to_vec(), vec![0x98, 0x06, 0x01]].concat(),
        Err("ListRunsRequest.99: is not known to this server"),
    );
    // The same in a message inside.
    let inside = vec![0x0a, 0x03, 0x98, 0x06, 0x01];
    check([known.encode_to_vec(), inside].concat(), Err("Freshness.99: is not known to this server"));
}

#[test]
fn known_fields_may_be_written_another_way() {
    // An empty project, spelled out, then a project.
    check(vec![0x12, 0x00, 0x12, 0x01, b'q'], Ok("q"));
}

#[test]
fn what_is_not_protobuf_is_invalid() {
    let error = decode_request::<proto::ListRunsRequest>(&Bytes::from_static(&[0xff; 4])).expect_err("garbage");
    assert_eq!((error.kind, error.reason), (crate::ErrorKind::Invalid, "FIELD_INVALID"));
}
