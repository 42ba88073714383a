//! Same noun, same file name, at every station: `git ls-files | grep metric` is the feature.

use crate::{against_list, sources};

/// The nouns that run through the house.
const NOUNS: [&str; 3] = ["metric", "project", "run"];

/// Where a noun must have its file.
const STATIONS: [&str; 7] = [
    "crates/domain/src",
    "crates/event-codec/src",
    "crates/wire/src",
    "crates/projection/src",
    "crates/read-store/src",
    "crates/query/src",
    "tests/e2e/tests",
];

pub fn check() -> Vec<String> {
    let files: Vec<String> = sources(&[".rs"]).into_iter().map(|source| source.path).collect();
    let mut findings = Vec::new();
    for noun in NOUNS {
        for station in STATIONS {
            if !files.contains(&format!("{station}/{noun}.rs")) {
                findings.push(format!("{station}/{noun}.rs: is missing"));
            }
        }
    }
    against_list(findings, include_str!("../lists/nouns.txt"), "xtask/lists/nouns.txt")
}
