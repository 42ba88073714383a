//! TLS and passwords, right and wrong.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use corral_domain::{Offset, Partition};
use corral_event_log::EventLog;
use corral_event_log_kafka::{KafkaSettings, Login, Sasl, Tls};

use crate::broker::{engines, record, refused, settings};
use crate::support::{now, open};

/// A setting that is in the way is named within this long.
const NAMED_WITHIN: Duration = Duration::from_secs(10);

fn secure(name: &str, sasl: Sasl) -> KafkaSettings {
    let engines = engines();
    let brokers = engines["kafka"]["secure"].as_str().expect("the broker has a secure listener").to_owned();
    let ca = engines["ca"].as_str().map(PathBuf::from);
    KafkaSettings { brokers, tls: Some(Tls { ca, client: None }), sasl: Some(sasl), ..settings(name) }
}

fn login(password: Option<&str>) -> Login {
    let kafka = &engines()["kafka"];
    let told = |key: &str| kafka[key].as_str().expect("the run file says it").to_owned();
    Login { username: told("user"), password: password.map_or_else(|| told("password"), str::to_owned) }
}

/// An unsigned token, which the broker of the suites takes if its subject and times are right.
fn token(ends_in_s: i64) -> String {
    let at = now().0 / 1_000_000;
    let claims = format!(r#"{{"sub":"alice","iat":{},"exp":{}}}"#, at - 10, at + ends_in_s);
    format!("{}.{}.", base64url(br#"{"alg":"none"}"#), base64url(claims.as_bytes()))
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let letters = (0..=chunk.len()).map(|at| LETTERS[(bits >> (18 - 6 * at)) as usize & 63] as char);
        text.extend(letters);
    }
    text
}

async fn works(settings: &KafkaSettings) {
    let log = open(settings).await.expect("it opens");
    log.append(Partition(0), vec![record(1)]).await.expect("appended");
    let read = log.read(Partition(0), Offset::ZERO, 100).await.expect("read").records;
    assert_eq!(read[0].bytes, record(1));
    assert_eq!(log.trim(Partition(0), Offset(1)).await.expect("trimmed"), Offset(1));
}

#[allow(clippy::disallowed_methods)]
async fn named(settings: &KafkaSettings, says: &str) {
    let from = Instant::now();
    let error = refused(settings).await;
    assert!(error.contains(says), "{error} says {says}");
    assert!(from.elapsed() < NAMED_WITHIN, "{error}: after {:?}", from.elapsed());
}

#[tokio::test]
async fn each_mechanism_works_over_tls() {
    works(&secure("scram512", Sasl::ScramSha512(login(None)))).await;
    works(&secure("scram256", Sasl::ScramSha256(login(None)))).await;
    works(&secure("plain", Sasl::Plain(login(None)))).await;
}

#[tokio::test]
async fn a_token_works_over_tls() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), token(300)).expect("written");
    works(&secure("token", Sasl::OauthBearer { token_file: file.path().to_owned() })).await;
}

#[tokio::test]
async fn a_wrong_password_is_named() {
    let setting = "kafka.sasl.username, kafka.sasl.password: ";
    named(&secure("wrong512", Sasl::ScramSha512(login(Some("wrong")))), setting).await;
    named(&secure("wrong256", Sasl::ScramSha256(login(Some("wrong")))), setting).await;
    named(&secure("wrongplain", Sasl::Plain(login(Some("wrong")))), setting).await;
}

#[tokio::test]
async fn a_token_that_ended_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), token(-5)).expect("written");
    let settings = secure("ended", Sasl::OauthBearer { token_file: file.path().to_owned() });
    named(&settings, "kafka.sasl.token_file: ").await;
}

#[tokio::test]
async fn an_authority_that_did_not_sign_is_named() {
    let mut settings = secure("authority", Sasl::ScramSha512(login(None)));
    settings.tls = Some(Tls { ca: engines()["other_ca"].as_str().map(PathBuf::from), client: None });
    named(&settings, "kafka.tls.ca: ").await;
}

#[tokio::test]
async fn a_missing_tls_is_named() {
    let settings = secure("notls", Sasl::ScramSha512(login(None)));
    named(&KafkaSettings { tls: None, ..settings.clone() }, "kafka.tls: ").await;
    named(&KafkaSettings { tls: None, sasl: None, ..settings }, "kafka.tls: ").await;
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_named() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let brokers = unused.local_addr().expect("bound").to_string();
    drop(unused);
    named(&KafkaSettings { brokers, ..settings("nobody") }, "kafka.brokers: ").await;
}
