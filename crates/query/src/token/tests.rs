//! A token comes back as it was, and nothing else is taken for one.

use super::*;

fn question() -> Question {
    Question::new("runs").with(b"p").with_number(3_u32)
}

#[test]
fn a_token_comes_back() {
    let place = ("key".to_owned(), 7_u64);
    assert_eq!(decode(question(), &encode(question(), &place)).expect("ours"), Some(place));
    assert_eq!(decode::<u64>(question(), "").expect("the first page"), None);
}

#[test]
fn anything_else_is_refused_by_name() {
    let good = encode(question(), &7_u64);
    let other = Question::new("runs").with(b"p").with_number(4_u32);
    let long = "0".repeat(TOKEN_BYTES_MAX + 2);
    let mut cases = vec!["x".to_owned(), "00".to_owned(), "é".to_owned(), good[2..].to_owned(), long];
    cases.push(encode(other, &7_u64));
    cases.push(encode(question(), &(7_u64, 8_u64)));
    for at in 0..good.len() {
        let digit = if &good[at..=at] == "0" { "1" } else { "0" };
        cases.push(format!("{}{digit}{}", &good[..at], &good[at + 1..]));
    }
    for token in cases {
        let refused = decode::<u64>(question(), &token);
        assert!(matches!(refused, Err(QueryError::Invalid { field: "page_token", .. })), "{token}: {refused:?}");
    }
}

#[test]
fn where_a_field_ends_is_part_of_the_question() {
    let (one, two) = (Question::new("q").with(b"ab").with(b"c"), Question::new("q").with(b"a").with(b"bc"));
    assert_ne!(one.0, two.0);
}
