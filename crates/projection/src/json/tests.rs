//! Scalars have one text each, so equal values have equal rows.

use super::*;

#[test]
fn every_scalar_has_one_exact_text() {
    let check = |value: Scalar, expect: &str| assert_eq!(text(&value), expect);
    check(Scalar::Null, "null");
    check(Scalar::Bool(true), "true");
    check(Scalar::I64(i64::MIN), "-9223372036854775808");
    check(Scalar::U64(u64::MAX), "18446744073709551615");
    check(Scalar::F64(1.0), "1.0");
    check(Scalar::F64(-0.0), "-0.0");
    check(Scalar::F64(1e300), "1e300");
    check(Scalar::F64(0.1), "0.1");
    check(Scalar::F64(f64::NAN), "\"NaN\"");
    check(Scalar::F64(f64::NEG_INFINITY), "\"-Infinity\"");
    check(Scalar::Text("a\"\\\n\u{0}é".into()), "\"a\\\"\\\\\\u000a\\u0000é\"");
    check(Scalar::Text("NaN".into()), "\"\\u004eaN\"");
    check(Scalar::Text("-Infinity".into()), "\"\\u002dInfinity\"");
    check(Scalar::Text("NaN ".into()), "\"NaN \"");
    check(Scalar::List(vec![Scalar::F64(f64::NAN), Scalar::Text("NaN".into())]), "[\"NaN\",\"\\u004eaN\"]");
    check(Scalar::List(vec![Scalar::I64(1), Scalar::List(vec![]), Scalar::Null]), "[1,[],null]");
}
