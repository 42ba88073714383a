//! A key has one spelling.

use super::*;

#[test]
fn a_key_comes_back_and_nothing_else_is_one() {
    let key = ApiKey::generate().unwrap();
    let text = key.text();
    let text = text.expose();
    assert_eq!(text.len(), 7 + 12 + 1 + 64);
    let parsed = ApiKey::parse(text).unwrap();
    assert_eq!((parsed.id.clone(), parsed.secret), (key.id.clone(), key.secret));
    assert!(KeyId::new(key.id.as_str()).is_some());

    let good = "corral_0123456789ab_".to_owned() + &"0f".repeat(32);
    assert!(ApiKey::parse(&good).is_some());
    let bad = [
        String::new(),
        "corral".into(),
        "corral__".into(),
        good.replace("corral_", "corral"),
        good.replace("corral", "Corral"),
        good.replace("0123456789ab", "0123456789a"),
        good.replace("0123456789ab", "0123456789abc"),
        good.replace("0123456789ab", "0123456789aB"),
        good.replace("0123456789ab", "0123456789ai"),
        good.replace("0f0f", "0F0F"),
        good.replace("0f0f", "+f0f"),
        good.replacen("0f", "é", 1),
        format!("{good}0"),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}_"),
        good[..good.len() - 1].into(),
    ];
    for text in bad {
        assert!(ApiKey::parse(&text).is_none(), "{text}");
    }
}

#[test]
fn keys_differ() {
    let ids: std::collections::BTreeSet<_> = (0..200).map(|_| ApiKey::generate().unwrap().id).collect();
    assert_eq!(ids.len(), 200);
}
