//! The lowest keys, whatever order they come in.

use super::*;

/// Reads keys as a dump does, so many at a time, from a cluster that shows them in the given order.
fn windows(shown: &[&'static [u8]], keys_max: usize) -> Vec<Vec<Bytes>> {
    let (mut windows, mut above, mut last) = (Vec::new(), None, false);
    while !last {
        let mut lowest = Lowest::new(above.as_ref(), keys_max);
        shown.iter().for_each(|key| lowest.take(Bytes::from_static(key)));
        let (keys, is_last) = lowest.end();
        last = is_last;
        above = keys.back().cloned().or(above);
        windows.push(keys.into());
    }
    windows
}

#[test]
fn windows_are_in_order_and_end() {
    let shown: [&[u8]; 6] = [b"\xff", b"", b"ab", b"b", b"aa", b"a"];
    let expect: [&[u8]; 6] = [b"", b"a", b"b", b"\xff", b"aa", b"ab"];
    for keys_max in 1..8 {
        for turn in 0..shown.len() {
            let mut shown = shown;
            shown.rotate_left(turn);
            let windows = windows(&shown, keys_max);
            assert_eq!(windows.concat(), expect, "{keys_max} at a time");
            assert_eq!(windows.len(), expect.len().div_ceil(keys_max));
            assert!(windows.iter().all(|window| window.len() <= keys_max));
        }
    }
    assert_eq!(windows(&[], 3), [Vec::<Bytes>::new()]);
}

#[test]
fn a_key_of_another_version_is_damage() {
    assert_eq!(key_of(&stored(b"key")).unwrap(), b"key"[..]);
    assert!(matches!(key_of(b"\x02key"), Err(StoreError::Damaged(_))));
    assert!(matches!(key_of(b""), Err(StoreError::Damaged(_))));
}
