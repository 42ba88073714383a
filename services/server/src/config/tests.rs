//! Precedence, origins, and what a configuration is refused for.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::*;

/// A home with a configuration file in it.
struct Given {
    home: tempfile::TempDir,
    env: BTreeMap<String, String>,
    flags: BTreeMap<&'static str, String>,
}

impl Given {
    fn new(file: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join(".config/corral");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("config.toml"), file).unwrap();
        let env = BTreeMap::from([("HOME".to_owned(), home.path().to_str().unwrap().to_owned())]);
        Self { home, env, flags: BTreeMap::new() }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn flag(mut self, name: &'static str, value: &str) -> Self {
        self.flags.insert(name, value.to_owned());
        self
    }

    fn load(&self) -> Result<Config, ConfigError> {
        let env = |name: &str| self.env.get(name).map(OsString::from);
        Config::load(&Sources { env: &env, file: None, flags: self.flags.clone() })
    }

    fn check_refused(&self, expect: &[&str]) {
        let error = self.load().expect_err("must be refused").to_string();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines.len(), expect.len(), "{error}");
        for (line, expect) in lines.iter().zip(expect) {
            assert!(line.contains(expect), "`{line}` does not say `{expect}`");
        }
    }
}

#[test]
fn without_anything_it_is_loopback_and_the_users_own_directory() {
    let given = Given::new("");
    let config = given.load().unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:4870");
    assert_eq!(config.data_dir, given.home.path().join(".local/share/corral"));
    assert_eq!(config.credentials, Some(given.home.path().join(".config/corral/credentials")));
    assert_eq!((config.public_url, config.trusted_proxies.len()), (None, 0));
    let elsewhere = Given::new("").env("XDG_DATA_HOME", "/elsewhere").load().unwrap();
    assert_eq!(elsewhere.data_dir, Path::new("/elsewhere/corral"));
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let file = "listen = '127.0.0.1:1'\nlog_level = 'warn'\ntrusted_proxies = ['10.0.0.0/8', '::1']\n";
    let given = || Given::new(file);
    let listen = |given: Given| given.load().unwrap().listen.port();
    assert_eq!(listen(given()), 1);
    assert_eq!(listen(given().env("CORRAL_LISTEN", "127.0.0.1:2")), 2);
    assert_eq!(listen(given().env("CORRAL_LISTEN", "")), 1, "an empty variable is not set");
    let all = given().env("CORRAL_LISTEN", "127.0.0.1:2").flag("listen", "127.0.0.1:3");
    let config = all.load().unwrap();
    assert_eq!((config.listen.port(), config.log_level, config.trusted_proxies.len()), (3, LogLevel::Warn, 2));
    let printed = config.print();
    let path = all.home.path().join(".config/corral/config.toml");
    for expect in [
        "listen = \"127.0.0.1:3\"  # flag --listen".to_owned(),
        format!("log_level = \"warn\"  # file {}", path.display()),
        "roles = \"all\"  # default".to_owned(),
        "# public_url is not set".to_owned(),
    ] {
        assert!(printed.lines().any(|line| line == expect), "`{expect}` is not in\n{printed}");
    }
    // What is printed is a file that gives the same.
    assert_eq!(Given::new(&printed).load().unwrap().listen.port(), 3);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_origin() {
    let given = Given::new("listen = 'everywhere'\nshoe_size = '43'\ndata_dir = 7\n");
    let given = given.env("CORRAL_LOG_LEVEL", "loud").flag("public_url", "ftp://x");
    given.check_refused(&[
        "data_dir (from file",
        "shoe_size (from file",
        "listen (from file",
        "public_url (from flag --public-url): must be http:// or https://",
        "log_level (from environment CORRAL_LOG_LEVEL): `loud` must be error, warn",
    ]);
    Given::new("\nlisten = ").check_refused(&["config.toml: line 2: "]);
}

#[test]
fn a_part_of_the_roles_is_refused_with_the_reason() {
    Given::new("")
        .flag("roles", "ingest")
        .check_refused(&["roles (from flag --roles): the event log and the read store"]);
    Given::new("").flag("roles", "baker").check_refused(&["`baker` must be all, or some of ingest"]);
    let config = Given::new("").flag("roles", "ingest, projector,query,web").load().unwrap();
    let served = |role: &Role| config.roles.has(*role) == (*role != Role::Archiver);
    assert!(config.places.is_embedded() && Role::ALL.iter().all(served));
}

#[test]
fn what_the_log_may_forget_needs_an_archive() {
    let archiving = |given: Given| given.load().unwrap().archiving;
    assert_eq!(archiving(Given::new("")), Archiving::default());
    let both = Given::new(
        "blobs = 's3://bucket/prefix'
log_keep_hours = '36'
",
    );
    let expect = Archiving { blobs: Some("s3://bucket/prefix".to_owned()), keep_us: Some(36 * 3_600_000_000) };
    assert_eq!(archiving(both), expect);
    assert_eq!(archiving(Given::new("").env("CORRAL_BLOBS", "/srv/blobs")).blobs.as_deref(), Some("/srv/blobs"));
    Given::new("").flag("log_keep_hours", "24").check_refused(&["log_keep_hours (from flag --log-keep-hours): what"]);
    cluster().flag("roles", "archiver").check_refused(&["roles (from flag --roles): the archiver needs a place"]);
    cluster().flag("roles", "archiver").flag("blobs", "file:///srv").load().unwrap();
    for wrong in ["ftp://x", "here/blobs", ""] {
        Given::new("")
            .flag("blobs", wrong)
            .check_refused(&["must be an absolute path, or a URL of file, s3, gs or az"]);
    }
    for wrong in ["0", "-1", "1.5", "ever", "900000000"] {
        let given = Given::new("").flag("blobs", "/srv").flag("log_keep_hours", wrong);
        given.check_refused(&["must be 1 to 878400 hours"]);
    }
}

const LOG: &str = "kafka://k1:9092,k2:9092/telemetry";
const STORE: &str = "cql://c1:9042/corral";

fn cluster() -> Given {
    Given::new("").flag("log", LOG).flag("store", STORE)
}

fn places(given: &Given) -> ClusterPlaces {
    match given.load().unwrap().places {
        Places::Cluster(places) => *places,
        Places::Embedded => panic!("it is a cluster"),
    }
}

#[test]
fn a_cluster_takes_any_roles_and_no_half_of_it_is_embedded() {
    for roles in ["ingest", "projector", "query,web", "all"] {
        let config = cluster().flag("roles", roles).load().unwrap();
        assert_eq!(config.roles.has(Role::Ingest), ["ingest", "all"].contains(&roles), "{roles}");
    }
    Given::new("").flag("log", LOG).check_refused(&["store (from default): is embedded, but the log is on Kafka"]);
    Given::new("").env("CORRAL_STORE", STORE).check_refused(&["log (from default): is embedded, but the store is in"]);
}

#[test]
fn a_place_says_how_it_is_reached() {
    let found = places(&cluster());
    assert_eq!((found.log.brokers.as_str(), found.log.topic.as_str()), ("k1:9092,k2:9092", "telemetry"));
    assert_eq!((found.store.keyspace.as_str(), found.store.vault.as_str()), ("corral", "corral_vault"));
    assert!(found.log.tls.is_none() && found.store.login.is_none());
    let log = format!("{LOG}?partitions=4&replicas=1&create_topics=false&ca=/ca.pem&sasl=scram-sha-512&user=corral");
    let store = format!("{STORE}?vault=keys&datacenter=dc1&replication=dc1:3,dc2:1&user=corral&certificate=/c&key=/k");
    let given = Given::new("").flag("log", &log).flag("store", &store);
    let secret = given.home.path().join("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    let given = given.env("CORRAL_LOG_PASSWORD", "hunter1").flag("store_password_file", secret.to_str().unwrap());
    let found = places(&given);
    assert_eq!((found.log.partitions, found.log.replicas, found.log.create_topics), (Some(4), Some(1), Some(false)));
    assert!(found.log.tls.is_some_and(|tls| tls.ca == Some("/ca.pem".into()) && tls.identity.is_none()));
    let Some(KafkaLogin::Password { mechanism: Mechanism::ScramSha512, user, password }) = found.log.login else {
        panic!("it has a login")
    };
    assert_eq!((user.as_str(), password.expose()), ("corral", "hunter1"));
    assert!(matches!(found.store.replication, Some(Copies::Datacenters(each)) if each.len() == 2));
    assert!(found.store.login.is_some_and(|(user, password)| user == "corral" && password.expose() == "hunter2"));
    // Neither is shown by what prints a configuration.
    let config = given.load().unwrap();
    for text in [config.print(), format!("{config:?}")] {
        assert!(!text.contains("hunter"), "{text}");
    }
    assert!(config.print().contains("store_password_file = "));
}

#[test]
fn what_is_wrong_with_a_place_is_named() {
    let log = |text: &str, expect: &str| {
        Given::new("").flag("store", STORE).flag("log", text).check_refused(&[expect]);
    };
    log("kafka:k1:9092/t", "log (from flag --log): must be embedded, or kafka://HOST:PORT");
    log("kafka://k1:9092", "/TOPIC");
    log("kafka://k1/t", "`k1` is not HOST:PORT");
    log("kafka://user:secret@k1:9092/t", "has a login in it");
    log("kafka://k1:9092/t?shoe_size=43", "`shoe_size` is no parameter: there are partitions, replicas");
    log("kafka://k1:9092/t?partitions=some", "partitions: `some` is no number");
    log("kafka://k1:9092/t?partitions=1&partitions=2", "`partitions` is there twice");
    log("kafka://k1:9092/t?tls=maybe", "tls: `maybe` must be true or false");
    log("kafka://k1:9092/t?tls=false&ca=/ca", "tls: is false, but there are files for it");
    log("kafka://k1:9092/t?key=/k", "certificate and key: one needs the other");
    log("kafka://k1:9092/t?sasl=gssapi&user=x", "sasl: `gssapi` must be plain");
    log("kafka://k1:9092/t?sasl=plain", "sasl: needs the parameter `user`");
    log("kafka://k1:9092/t?sasl=plain&user=x", "user: needs a name, and its password in log_password_file");
    log("kafka://k1:9092/t?user=x", "sasl: is not set");
    log("kafka://k1:9092/t?sasl=oauthbearer", "sasl: oauthbearer needs `token_file`");
    let store = |text: &str, expect: &str| Given::new("").flag("log", LOG).flag("store", text).check_refused(&[expect]);
    store("cql://c1:9042/corral?vault=corral", "vault: must be a keyspace of its own");
    store("cql://c1:9042/corral?replication=0", "replication: `0` must be COUNT");
    store("cql://c1:9042/corral?user=x", "user: needs a name, and its password in store_password_file");
    cluster().env("CORRAL_STORE_PASSWORD", "x").check_refused(&["there is a password for it, but no parameter `user`"]);
    cluster()
        .flag("log_password_file", "/nowhere")
        .check_refused(&["log_password_file (from flag --log-password-file)"]);
}

#[test]
fn a_file_that_was_named_must_be_there() {
    Given::new("")
        .env("CORRAL_CONFIG", "/nowhere/corral.toml")
        .check_refused(&["there is no file /nowhere/corral.toml"]);
    let mut homeless = Given::new("");
    homeless.env.remove("HOME");
    homeless.check_refused(&["data_dir: is not known: give it, or set HOME"]);
}

#[test]
fn a_network_is_its_first_bits() {
    let contains = |network: &str, address: &str| Network::parse(network).unwrap().contains(address.parse().unwrap());
    for (network, address, expect) in [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.6", false),
        ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("::/0", "2001:db8::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
    ] {
        assert_eq!(contains(network, address), expect, "{network} {address}");
    }
    for wrong in ["", "10.0.0.0/33", "10.0.0/8", "localhost", "10.0.0.0/-1", "::1/129"] {
        assert!(Network::parse(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn other_machines_are_let_in_only_where_that_is_said() {
    for listen in ["0.0.0.0:4870", "[::]:4870", "192.0.2.7:0"] {
        let given = || Given::new("").flag("listen", listen);
        given().check_refused(&["listen (from flag --listen): "]);
        given().flag("public_url", "https://Corral.example/base/").load().unwrap();
        given().flag("public_url", "x").check_refused(&["public_url (from flag"]);
    }
    for listen in ["127.9.9.9:1", "[::1]:0"] {
        Given::new("").flag("listen", listen).load().unwrap();
    }
}
