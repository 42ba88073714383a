//! The order is total, exact, and keeps what is missing last in both directions.

use super::*;

fn sorted(json: &[&str], descending: bool) -> Vec<String> {
    let mut keys: Vec<(SortKey, &str)> = json.iter().map(|text| (SortKey::of_json(text), *text)).collect();
    keys.sort_by(|a, b| a.0.compare(&b.0, descending));
    keys.into_iter().map(|(_, text)| text.to_owned()).collect()
}

#[test]
fn numbers_texts_nan_and_missing_have_one_order() {
    let up = [
        "\"-Infinity\"",
        "-1.5",
        "false",
        "0.5",
        "9007199254740992",
        "9007199254740993",
        "1e300",
        "\"Infinity\"",
        "\"a\"",
        "\"b\"",
        "\"NaN\"",
        "null",
    ];
    let mut mixed = up;
    mixed.reverse();
    mixed.swap(2, 7);
    assert_eq!(sorted(&mixed, false), up);
    let down = [
        "\"b\"",
        "\"a\"",
        "\"Infinity\"",
        "1e300",
        "9007199254740993",
        "9007199254740992",
        "0.5",
        "false",
        "-1.5",
        "\"-Infinity\"",
        "\"NaN\"",
        "null",
    ];
    assert_eq!(sorted(&mixed, true), down);
}

#[test]
fn whole_numbers_and_floats_compare_exactly() {
    let float = SortKey::of_value(Value::F64(9_007_199_254_740_992.0));
    let equal = SortKey::of_value(Value::I64(9_007_199_254_740_992));
    let above = SortKey::of_value(Value::U64(9_007_199_254_740_993));
    assert_eq!(float.compare(&equal, false), Ordering::Equal);
    assert_eq!(float.compare(&above, false), Ordering::Less);
    assert_eq!(
        SortKey::of_value(Value::U64(u64::MAX)).compare(&SortKey::of_value(Value::F64(1e30)), false),
        Ordering::Less
    );
    let (low, high) = (SortKey::of_value(Value::F64(1e200)), SortKey::of_value(Value::F64(1e201)));
    assert_eq!(low.compare(&high, false), Ordering::Less);
}

#[test]
fn a_key_survives_its_token() {
    for text in ["-1.5", "18446744073709551615", "1e300", "\"x\"", "\"NaN\"", "null", "-9223372036854775808"] {
        let key = SortKey::of_json(text);
        let mut bytes = Vec::new();
        key.put(&mut bytes);
        assert_eq!(SortKey::take(&mut bytes.into()), Ok(key));
    }
}
