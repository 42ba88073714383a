//! Requests refuse what they would drop; answers are exact.

use corral_wire::ErrorKind;
use corral_wire::proto::{self, series::Columns};

use super::*;

fn check_refused(body: &'static str, field: &str, kind: ErrorKind) {
    let error = from_json::<proto::ListRunsRequest>(&Bytes::from(body)).unwrap_err();
    assert_eq!((error.field.as_ref(), error.kind), (field, kind), "{body}: {error}");
}

#[test]
fn a_request_with_what_is_not_known_is_refused_by_name() {
    check_refused(r#"{"projekt": "p"}"#, "projekt", ErrorKind::Unsupported);
    check_refused(r#"{"project": "p", "order": {"ascending": true}}"#, "ascending", ErrorKind::Unsupported);
    check_refused(r#"{"freshness": {"asOf": "1"}}"#, "asOf", ErrorKind::Unsupported);
    for body in [
        r#"{"project": "p", "project": "p"}"#,
        r#"{"pageSize": 1, "page_size": 1}"#,
        r#"{"order": {"summary": "a", "summary": "b"}}"#,
    ] {
        check_refused(body, "body", ErrorKind::Invalid);
    }
    for body in ["", "[]", "{", "{} {}", r#"{"project": 1}"#, r#"{"order": {"field": "RUN_FIELD_SHOE_SIZE"}}"#] {
        check_refused(body, "body", ErrorKind::Invalid);
    }
}

#[test]
fn a_request_takes_both_spellings_and_integers_as_text() {
    let body = r#"{"runIds": ["a"], "x_min": "-9007199254740993", "points_max": 7}"#;
    let request: proto::GetHistoryRequest = from_json(&Bytes::from(body)).unwrap();
    let expect = proto::GetHistoryRequest {
        run_ids: vec!["a".into()],
        x_min: Some(-9_007_199_254_740_993),
        points_max: 7,
        ..Default::default()
    };
    assert_eq!(request, expect);
}

fn pack<const N: usize>(words: &[[u8; N]]) -> Bytes {
    words.concat().into()
}

#[test]
fn columns_are_spelled_out_exactly() {
    let doubles = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.1, 1e300].map(f64::to_le_bytes);
    let column = |kind: proto::ColumnType, rows, values| proto::TypedColumn { r#type: kind as i32, rows, values };
    let raw = proto::RawColumns {
        steps: pack(&[i64::MIN, 9_007_199_254_740_993].map(i64::to_le_bytes)),
        times_us: pack(&[1_i64, 2].map(i64::to_le_bytes)),
        appended_us: pack(&[3_i64, 4].map(i64::to_le_bytes)),
        values: vec![
            column(proto::ColumnType::F64, 6, pack(&doubles)),
            column(proto::ColumnType::F32, 1, pack(&[0.1_f32.to_le_bytes()])),
            column(proto::ColumnType::U64, 1, pack(&[u64::MAX.to_le_bytes()])),
            column(proto::ColumnType::Bool, 2, pack(&[[1], [0]])),
        ],
        x: pack(&[0.5_f64, -1.0].map(f64::to_le_bytes)),
    };
    let named = proto::Series { r#ref: 1, run_id: "r".into(), metric: "a\"b".into(), rows: 2, ..Default::default() };
    let whole = proto::Series { columns: Some(Columns::Raw(raw)), ..named };
    let bare = proto::Series { columns: Some(Columns::Buckets(proto::BucketColumns::default())), ..Default::default() };
    let answer = proto::GetHistoryResponse { series: vec![whole, bare], next_page_token: "t".into(), meta: None };
    let expect = concat!(
        r#"{"series":[{"ref":1,"runId":"r","metric":"a\"b","rows":2,"raw":{"steps":["-9223372036854775808","#,
        r#""9007199254740993"],"timesUs":["1","2"],"appendedUs":["3","4"],"values":["#,
        r#"{"type":"COLUMN_TYPE_F64","rows":6,"values":["NaN","Infinity","-Infinity",-0.0,0.1,1e300]},"#,
        r#"{"type":"COLUMN_TYPE_F32","rows":1,"values":[0.1]},"#,
        r#"{"type":"COLUMN_TYPE_U64","rows":1,"values":["18446744073709551615"]},"#,
        r#"{"type":"COLUMN_TYPE_BOOL","rows":2,"values":[true,false]}],"x":[0.5,-1.0]}},"#,
        r#"{"buckets":{"width":"0","index":[],"count":[],"min":[],"max":[],"mean":[],"last":[],"nanCount":[],"#,
        r#""firstNonFinite":[]}}],"nextPageToken":"t"}"#,
    );
    let text = history_to_json(answer).unwrap();
    assert_eq!(text, expect);
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
    assert_eq!(history_to_json(proto::GetHistoryResponse::default()).unwrap(), "{}");
}

#[test]
fn a_column_that_is_torn_is_our_failure() {
    let raw = proto::RawColumns { steps: Bytes::from_static(&[1, 2, 3]), ..Default::default() };
    let series = vec![proto::Series { columns: Some(Columns::Raw(raw)), ..Default::default() }];
    let answer = proto::GetHistoryResponse { series, ..Default::default() };
    assert_eq!(history_to_json(answer).unwrap_err().kind, ErrorKind::Internal);
}
