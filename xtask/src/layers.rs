//! Who may depend on whom: a crate depends only on layers above it, and only the wiring names a backend.

use std::fs;

use crate::{against_list, root, sources};

/// The layers, top first. A crate may depend on crates of earlier lines; within a line only as [`BESIDE`] says.
const LAYERS: [&[&str]; 8] = [
    &["corral-domain", "corral-spool", "corral-credentials"],
    &[
        "corral-tasks",
        "corral-event-codec",
        "corral-event-log",
        "corral-read-store",
        "corral-hub",
        "corral-vault",
        "corral-blob-store",
    ],
    &["corral-access", "corral-ownership", "corral-segment"],
    &[
        "corral-event-log-embedded",
        "corral-event-log-kafka",
        "corral-read-store-embedded",
        "corral-read-store-scylla",
        "corral-projection",
        "corral-query",
    ],
    &["corral-wire", "corral-archive"],
    &[
        "corral-archiver",
        "corral-ingest",
        "corral-projector",
        "corral-push",
        "corral-query-service",
        "corral-web",
        "corral-client",
    ],
    &["corral-server", "corral-python"],
    &["corral-testkit", "corral-e2e", "corral-load", "xtask"],
];

/// Pairs within a layer: (who, on whom).
const BESIDE: [(&str, &str); 3] =
    [("corral-e2e", "corral-testkit"), ("corral-web", "corral-query-service"), ("corral-web", "corral-ingest")];

/// A backend depends on its trait crates, domain and the supervisor, and on nothing else of ours.
const BACKENDS: [(&str, &[&str]); 4] = [
    ("corral-event-log-embedded", &["corral-domain", "corral-event-log", "corral-segment", "corral-tasks"]),
    ("corral-event-log-kafka", &["corral-domain", "corral-event-log", "corral-hub", "corral-tasks"]),
    ("corral-read-store-embedded", &["corral-domain", "corral-read-store", "corral-tasks"]),
    (
        "corral-read-store-scylla",
        &["corral-domain", "corral-ownership", "corral-read-store", "corral-tasks", "corral-vault"],
    ),
];

/// The one file that names a backend, with its parts.
const WIRING: [&str; 3] = [
    "services/server/src/wiring.rs",
    "services/server/src/wiring/embedded.rs",
    "services/server/src/wiring/cluster.rs",
];

pub fn check() -> Vec<String> {
    let mut findings = Vec::new();
    for manifest in sources(&["Cargo.toml"]) {
        match toml::from_str::<toml::Table>(&manifest.text) {
            Ok(table) => {
                findings.extend(crate_layers(&table));
                findings.extend(tests_only(&manifest.path, &table));
            }
            Err(error) => findings.push(format!("{}: {error}", manifest.path)),
        }
    }
    findings.extend(backends_named());
    findings.extend(unlocked());
    against_list(findings, include_str!("../lists/layers.txt"), "xtask/lists/layers.txt")
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

fn crate_layers(manifest: &toml::Table) -> Vec<String> {
    let Some(name) = manifest.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str()) else {
        return Vec::new();
    };
    let Some(own) = layer(name) else {
        return vec![format!("{name}: is in no layer of xtask/src/layers.rs")];
    };
    let dependencies = manifest.get("dependencies").and_then(|d| d.as_table()).cloned().unwrap_or_default();
    let mut found = Vec::new();
    for on in dependencies.keys().filter(|k| k.starts_with("corral-")) {
        let allowed = layer(on).is_some_and(|other| other < own) || BESIDE.contains(&(name, on.as_str()));
        let backend = BACKENDS.iter().find(|(backend, _)| *backend == name);
        if !allowed || backend.is_some_and(|(_, only)| !only.contains(&on.as_str())) {
            found.push(format!("{name} -> {on}: against the layers"));
        }
    }
    found
}

/// Features that a release must not have: planted bugs and contract suites are turned on by tests alone.
const TESTS_ONLY: [&str; 2] = ["planted", "contract"];

fn tests_only(path: &str, manifest: &toml::Table) -> Vec<String> {
    let words = |value: Option<&toml::Value>| -> Vec<String> {
        let list = value.and_then(|value| value.as_array()).cloned().unwrap_or_default();
        list.iter().filter_map(|word| word.as_str()).map(str::to_owned).collect()
    };
    let mut on: Vec<String> = Vec::new();
    let workspace = manifest.get("workspace").and_then(|workspace| workspace.as_table());
    for table in [manifest.get("dependencies"), workspace.and_then(|table| table.get("dependencies"))] {
        for dependency in table.and_then(|table| table.as_table()).into_iter().flat_map(|table| table.values()) {
            on.extend(words(dependency.get("features")));
        }
    }
    for (name, turns_on) in manifest.get("features").and_then(|table| table.as_table()).into_iter().flatten() {
        if !TESTS_ONLY.contains(&name.as_str()) {
            on.extend(words(Some(turns_on)));
        }
    }
    let is_for_tests = |word: &String| TESTS_ONLY.iter().any(|only| word.rsplit('/').next() == Some(only));
    on.into_iter().filter(is_for_tests).map(|word| format!("{path}: turns on `{word}`, which is for tests")).collect()
}

fn backends_named() -> Vec<String> {
    let names = [
        "corral_event_log_embedded",
        "corral_event_log_kafka",
        "corral_read_store_embedded",
        "corral_read_store_scylla",
    ];
    let outside = |path: &str| {
        !WIRING.contains(&path)
            && !path.contains("/tests/")
            && !path.ends_with("/tests.rs")
            && !path.starts_with("tests/")
            && !path.starts_with("crates/event-log-embedded/")
            && !path.starts_with("crates/event-log-kafka/")
            && !path.starts_with("crates/read-store-embedded/")
            && !path.starts_with("crates/read-store-scylla/")
            && !path.starts_with("crates/testkit/")
            && !path.starts_with("xtask/")
    };
    let mut found = Vec::new();
    for source in sources(&[".rs"]) {
        if outside(&source.path) && names.iter().any(|name| source.text.contains(name)) {
            found.push(format!("{}: names a backend; only {} may", source.path, WIRING[0]));
        }
    }
    found
}

fn unlocked() -> Option<String> {
    (!fs::exists(root().join("Cargo.lock")).unwrap_or(false)).then(|| "Cargo.lock: is missing".to_owned())
}
