//! Settings that cannot work name themselves.

use super::*;

fn config() -> Config {
    Config {
        nodes: vec!["127.0.0.1:9042".to_owned()],
        keyspace: "corral".to_owned(),
        datacenter: None,
        login: Some(Login { user: "corral".to_owned(), password: "hunter2".to_owned() }),
        tls: None,
    }
}
fn check(change: impl FnOnce(&mut Config), expect: &str) {
    let mut config = config();
    change(&mut config);
    let refused = config.check().unwrap_err();
    assert!(refused.to_string().starts_with(&format!("{expect}: ")), "{refused}");
    assert!(matches!(StoreError::from(refused), StoreError::Invalid(_)));
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    assert!(config().check().is_ok());
    check(|config| config.nodes.clear(), "nodes");
    for node in ["", "host", ":9042", "host:", "host:0", "host:65536", "host:cql"] {
        check(|config| config.nodes.push(node.to_owned()), "nodes");
    }
    check(|config| config.datacenter = Some(String::new()), "datacenter");
    check(|config| config.login.as_mut().unwrap().user.clear(), "user");
    for keyspace in ["", "Corral", "a-b", "a;b"] {
        check(|config| config.keyspace = keyspace.to_owned(), "keyspace");
    }
}

#[test]
fn a_password_is_not_printed() {
    let printed = format!("{:?}", config());
    assert!(printed.contains("corral") && !printed.contains("hunter2"), "{printed}");
}

#[test]
fn replication_becomes_text_only_where_it_is_plain() {
    let dc = |name: &str, factor| Replication::Datacenters(vec![("dc1".to_owned(), 3), (name.to_owned(), factor)]);
    let refused = [
        Replication::Everywhere(0),
        Replication::Datacenters(Vec::new()),
        dc("dc2", 0),
        dc("", 1),
        dc("dc'2", 1),
        dc("dc}", 1),
        dc("d c", 1),
    ];
    for replication in refused {
        let error = replication.check().unwrap_err().to_string();
        assert!(error.starts_with("replication: "), "{error}");
    }
    assert!(dc("us-east_1.a", 2).check().is_ok());
    assert_eq!(dc("dc2", 2).to_cql(), "{'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 2}");
}
