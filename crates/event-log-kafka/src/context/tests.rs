//! What an error of librdkafka says of our settings.

use corral_domain::Micros;
use rdkafka::error::KafkaError::Global;

use super::*;
use crate::settings::{Login, Tls};

fn context(change: impl Fn(&mut KafkaSettings)) -> Context {
    let mut settings = KafkaSettings::new("a:1", "t");
    change(&mut settings);
    Context::new(&settings, Arc::new(|| Micros(0)))
}

#[test]
fn an_error_names_the_setting_to_look_at() {
    let check = |context: &Context, code: RDKafkaErrorCode, reason: &str, expect: Option<(&str, bool)>| {
        let told = context.tell(code, reason);
        assert_eq!(told.map(|told| (told.setting, told.is_final)), expect, "{code:?}");
    };
    let login = || Login { username: "alice".to_owned(), password: "x".to_owned() };
    let plain = context(|_| {});
    let secure = context(|s| (s.tls, s.sasl) = (Some(Tls::default()), Some(Sasl::ScramSha512(login()))));
    let token = context(|s| s.sasl = Some(Sasl::OauthBearer { token_file: "/t".into() }));
    let (password, file) = ("kafka.sasl.username, kafka.sasl.password", "kafka.sasl.token_file");
    check(&secure, RDKafkaErrorCode::Authentication, "invalid credentials", Some((password, true)));
    check(&token, RDKafkaErrorCode::Authentication, "invalid_token", Some((file, true)));
    check(&plain, RDKafkaErrorCode::Authentication, "required", Some(("kafka.sasl", true)));
    check(&secure, RDKafkaErrorCode::SSL, "certificate verify failed", Some(("kafka.tls.ca", true)));
    check(&secure, RDKafkaErrorCode::SSL, "wrong version number", Some(("kafka.tls", true)));
    check(&plain, RDKafkaErrorCode::BrokerTransportFailure, "Connection refused", Some(("kafka.brokers", false)));
    check(&plain, RDKafkaErrorCode::Resolve, "no such host", Some(("kafka.brokers", false)));
    check(&plain, RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down", Some(("kafka.tls", false)));
    check(&secure, RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down", None);
    plain.error(Global(RDKafkaErrorCode::BrokerTransportFailure), "Connection refused");
    check(&plain, RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down", None);
}

#[test]
fn what_waiting_does_not_cure_stays() {
    let context = context(|_| {});
    context.error(Global(RDKafkaErrorCode::BrokerTransportFailure), "Connection refused");
    context.error(Global(RDKafkaErrorCode::SSL), "certificate verify failed");
    context.error(Global(RDKafkaErrorCode::BrokerTransportFailure), "Connection refused");
    assert_eq!(context.trouble().map(|trouble| trouble.setting), Some("kafka.tls.ca"));
}
