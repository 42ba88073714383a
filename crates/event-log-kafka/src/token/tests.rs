//! Tokens in files.

use super::*;

const NOW: Micros = Micros(1_700_000_000_000_000);

/// {"alg":"none"} . {"sub":"alice","exp":1700000060}
const JWT: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6MTcwMDAwMDA2MH0.";

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("it is written");
    file
}

#[test]
fn a_jwt_says_whose_it_is_and_when_it_ends() {
    let token = read(file(&format!("{JWT}\n")).path(), NOW).expect("a token");
    assert_eq!((&*token.token, &*token.principal_name, token.lifetime_ms), (JWT, "alice", 1_700_000_060_000));
}

#[test]
fn any_other_token_is_read_again_in_time() {
    let token = read(file("opaque").path(), NOW).expect("a token");
    assert_eq!((&*token.token, &*token.principal_name, token.lifetime_ms), ("opaque", "", 1_700_000_300_000));
}

#[test]
fn what_is_no_token_is_refused() {
    let check = |text: &str, at: i64, says: &str| {
        let error = read(file(text).path(), Micros(at)).err().expect("refused");
        assert!(error.contains(says), "{error} says {says}");
    };
    check("", NOW.0, "not one token");
    check("a b", NOW.0, "not one token");
    check(&"x".repeat(70_000), NOW.0, "65536 bytes");
    check(JWT, NOW.0 + 90_000_000, "ended 30 s ago");
    assert!(read(Path::new("/nowhere/token"), NOW).err().expect("refused").contains("/nowhere/token"));
}
