//! Settings that are refused, and what reaches librdkafka of the others.

use super::*;

#[test]
fn what_is_wrong_is_named() {
    let check = |change: fn(&mut KafkaSettings), says: &str| {
        let mut settings = KafkaSettings::new("a:1,b:2", "corral.telemetry");
        settings.check().expect("these are right");
        change(&mut settings);
        let error = settings.check().expect_err("refused").to_string();
        assert!(error.starts_with(says), "{error} starts with {says}");
    };
    check(|s| s.brokers = String::new(), "kafka.brokers: ");
    check(|s| s.brokers = "a:1,b".to_owned(), "kafka.brokers: ");
    check(|s| s.brokers = "a:0".to_owned(), "kafka.brokers: ");
    check(|s| s.topic = String::new(), "kafka.topic: ");
    check(|s| s.topic = "a/b".to_owned(), "kafka.topic: ");
    check(|s| s.topic = "x".repeat(201), "kafka.topic: ");
    check(|s| s.partitions = 0, "kafka.partitions: ");
    check(|s| s.partitions = PARTITIONS_MAX + 1, "kafka.partitions: ");
    check(|s| s.replicas = 0, "kafka.replicas: ");
    check(|s| s.tls = Some(Tls { ca: Some("/nowhere/ca".into()), client: None }), "kafka.tls.ca: /nowhere/ca");
    let own =
        |s: &mut KafkaSettings| s.tls = Some(Tls { ca: None, client: Some(("/dev/null".into(), "/nowhere/k".into())) });
    check(own, "kafka.tls.key: /nowhere/k");
    check(
        |s| s.sasl = Some(Sasl::OauthBearer { token_file: "/nowhere/t".into() }),
        "kafka.sasl.token_file: /nowhere/t",
    );
}

#[test]
fn each_setting_reaches_librdkafka() {
    let login = || Login { username: "alice".to_owned(), password: "secret".to_owned() };
    let check = |tls: Option<Tls>, sasl: Option<Sasl>, expect: &[(&str, &str)]| {
        let settings = KafkaSettings { tls, sasl, ..KafkaSettings::new("a:1", "t") };
        let config = settings.client();
        for (key, value) in expect {
            assert_eq!(config.get(key), Some(*value), "{key}");
        }
    };
    let tls = || Some(Tls { ca: Some("/ca".into()), client: Some(("/own".into(), "/key".into())) });
    check(None, None, &[("security.protocol", "plaintext"), ("bootstrap.servers", "a:1")]);
    check(
        tls(),
        None,
        &[
            ("security.protocol", "ssl"),
            ("ssl.ca.location", "/ca"),
            ("ssl.certificate.location", "/own"),
            ("ssl.key.location", "/key"),
            ("ssl.endpoint.identification.algorithm", "https"),
        ],
    );
    check(None, Some(Sasl::Plain(login())), &[("security.protocol", "sasl_plaintext"), ("sasl.mechanism", "PLAIN")]);
    let scram = [("sasl.mechanism", "SCRAM-SHA-256"), ("sasl.username", "alice"), ("sasl.password", "secret")];
    check(tls(), Some(Sasl::ScramSha256(login())), &scram);
    check(
        tls(),
        Some(Sasl::ScramSha512(login())),
        &[("security.protocol", "sasl_ssl"), ("sasl.mechanism", "SCRAM-SHA-512")],
    );
    let token = Sasl::OauthBearer { token_file: "/token".into() };
    check(tls(), Some(token), &[("sasl.mechanism", "OAUTHBEARER")]);
}

#[test]
fn a_password_is_not_printed() {
    let login = Login { username: "alice".to_owned(), password: "hunter2".to_owned() };
    let settings = KafkaSettings { sasl: Some(Sasl::Plain(login)), ..KafkaSettings::new("a:1", "t") };
    let printed = format!("{settings:?}");
    assert!(printed.contains("alice") && !printed.contains("hunter2"), "{printed}");
}
