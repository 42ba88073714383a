//! The list of statements, and what no statement may use.

use super::*;

const BUILD: BuildId = BuildId(1);

fn keyspace() -> Keyspace {
    Keyspace::new("corral").unwrap()
}

/// Every text, with the tables of one that stands for all.
fn texts() -> Vec<String> {
    let mut texts = vec![
        create_keyspace(&keyspace(), &Replication::Everywhere(3)),
        create_keyspace(&keyspace(), &Replication::Datacenters(vec![("dc1".to_owned(), 3), ("dc2".to_owned(), 2)])),
    ];
    texts.extend(Shared::ALL.map(|of| of.text(&keyspace())));
    texts.extend(Leases::ALL.map(|of| of.text(&keyspace())));
    let vault = Keyspace::new("corral_vault").unwrap();
    texts.extend(Vaults::ALL.map(|of| of.text(&vault)));
    texts.extend(Owned::all().into_iter().map(|of| of.text(&keyspace(), BUILD)));
    texts
}

#[test]
fn the_list_has_every_statement() {
    let listed = include_str!("../statements.cql");
    let listed: Vec<_> = listed.lines().filter(|line| !line.is_empty() && !line.starts_with("--")).collect();
    let sent: Vec<_> = texts().into_iter().map(|text| text + ";").collect();
    assert_eq!(listed.len(), 247);
    for (listed, sent) in listed.iter().zip(&sent) {
        assert_eq!(listed, sent);
    }
    assert_eq!(listed.len(), sent.len());
}

/// What the engines do differently, or one of them not at all, from the table of `docs/CQL.md`: the words that would bring
/// it in.
#[test]
fn no_statement_uses_what_the_engines_differ_in() {
    let docs = include_str!("../../../../docs/CQL.md");
    let table = docs.split("## Where the engines differ").nth(1).unwrap().split("\n## ").next().unwrap();
    let words: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" |").next())
        .flat_map(|cell| cell.split('`').step_by(2))
        .filter(|word| !word.is_empty())
        .collect();
    assert!(words.len() >= 25, "{words:?}");
    for text in texts() {
        let text = text.to_uppercase();
        for word in &words {
            assert!(!text.contains(&word.to_uppercase()), "`{word}` in {text}");
        }
    }
}

/// The crate's other files send no text of their own.
#[test]
fn no_other_file_has_a_statement() {
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut looked = 0;
    for entry in std::fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "rs") || path.ends_with("statements.rs") {
            continue;
        }
        looked += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        for word in ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "DROP ", "ALTER ", "TRUNCATE "] {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
    }
    assert!(looked >= 10);
}

#[test]
fn keyspaces_that_would_need_quotes_are_refused() {
    let long = "k".repeat(49);
    for name in ["", "Corral", "1corral", "_c", "cor ral", "c\"", "c;", "c'", "ä", "c.d", &long] {
        assert!(Keyspace::new(name).is_err(), "{name:?}");
    }
    for name in ["c", "corral_2", &long[..48]] {
        assert_eq!(Keyspace::new(name).unwrap().as_str(), name);
    }
}

#[test]
fn a_table_tells_its_build() {
    for table in Table::ALL {
        assert_eq!(build_of(&table_name(BuildId(17), table.name())), Some(BuildId(17)));
    }
    for name in ["meta", "b_tail", "bx_tail", "b1", "1_tail", "b99999999999_tail"] {
        assert_eq!(build_of(name), None, "{name}");
    }
}
