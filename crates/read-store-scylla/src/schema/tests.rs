//! What differs from the schema is said table by table.

use super::*;

fn expected(build: BuildId) -> Vec<Expected> {
    [leases(), tables(build)].concat()
}

fn right(build: BuildId) -> Columns {
    let of = |columns: &[(&str, &str, &str)]| {
        columns.iter().map(|(name, kind, of)| ((*name).to_owned(), ((*kind).to_owned(), (*of).to_owned()))).collect()
    };
    expected(build).into_iter().map(|(table, columns)| (table, of(columns))).collect()
}

#[test]
fn every_difference_is_named() {
    let build = BuildId(3);
    assert_eq!(differences(&right(build), expected(build)), Vec::<String>::new());
    assert_eq!(differences(&right(build), expected(BuildId(4))).len(), Table::ALL.len() + 1);
    let mut columns = right(build);
    columns.remove("b3_tail");
    columns.get_mut("lease_partition").unwrap().remove("term");
    let place = columns.get_mut("b3_checkpoint").unwrap();
    place.remove("value");
    place.insert("place".to_owned(), ("regular".to_owned(), "text".to_owned()));
    // A later version may add columns and tables.
    place.insert("more".to_owned(), ("regular".to_owned(), "text".to_owned()));
    columns.insert("b3_more".to_owned(), BTreeMap::new());
    let expect = [
        "table lease_partition has no column term",
        "table b3_tail is missing",
        "column place of table b3_checkpoint is regular text, not clustering blob",
        "table b3_checkpoint has no column value",
    ];
    assert_eq!(differences(&columns, expected(build)), expect);
}
