//! What goes out together.

use corral_read_store::Key;

use super::*;

fn write(table: Table, partition: u8, clustering: u8, bytes: usize) -> Write {
    let key = Key { table, partition: vec![partition].into(), clustering: vec![clustering].into() };
    Write { key, value: Some(vec![0; bytes].into()), timestamp: 1 }
}
fn one(partition: u8, clustering: u8, bytes: usize) -> Mutation {
    Mutation(vec![write(Table::Tail, partition, clustering, bytes)])
}
/// (table, partition, its clustering keys) of each request.
fn check(mutations: Vec<Mutation>, expect: &[(Table, u8, &[u8])]) {
    let found = requests(mutations).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|request| {
            let first = &request.writes[0].key;
            let names: Vec<u8> = request.writes.iter().map(|write| write.key.clustering[0]).collect();
            (first.table, first.partition[0], names)
        })
        .collect();
    let expect: Vec<_> = expect.iter().map(|(table, partition, names)| (*table, *partition, names.to_vec())).collect();
    assert_eq!(found, expect);
}

#[test]
fn mutations_of_a_partition_go_together_while_they_are_small() {
    use Table::{Chunk, Tail};
    check(Vec::new(), &[]);
    check(vec![Mutation(Vec::new())], &[]);
    check(vec![one(1, 1, 9), one(2, 2, 9), one(1, 3, 9)], &[(Tail, 1, &[1, 3]), (Tail, 2, &[2])]);
    let other = Mutation(vec![write(Chunk, 1, 2, 9)]);
    check(vec![one(1, 1, 9), other], &[(Tail, 1, &[1]), (Chunk, 1, &[2])]);
    // By bytes: the third does not fit, the fourth goes where the third went.
    let half = CQL_BATCH_BYTES_MAX / 2 - 100;
    check(
        vec![one(1, 1, half), one(1, 2, half), one(1, 3, half), one(1, 4, 9)],
        &[(Tail, 1, &[1, 2]), (Tail, 1, &[3, 4])],
    );
    // A mutation is never split.
    let big = Mutation((0..3).map(|name| write(Tail, 1, name, CQL_BATCH_BYTES_MAX)).collect());
    check(vec![one(1, 9, 9), big], &[(Tail, 1, &[9]), (Tail, 1, &[0, 1, 2])]);
}

#[test]
fn by_rows() {
    let rows = (0..CQL_BATCH_ROWS_MAX as u8 + 2).map(|name| one(1, name, 1)).collect();
    let sizes: Vec<_> = requests(rows).unwrap().iter().map(|request| request.writes.len()).collect();
    assert_eq!(sizes, [CQL_BATCH_ROWS_MAX, 2]);
}

#[test]
fn what_cannot_be_sent_is_refused_by_name() {
    let late = Write { timestamp: 1 << 63, ..write(Table::State, 1, 1, 1) };
    let cases = [
        (vec![write(Table::State, 1, 1, 1), write(Table::State, 2, 1, 1)], "several partitions"),
        (vec![write(Table::State, 1, 1, 1), write(Table::Tail, 1, 1, 1)], "several partitions"),
        (vec![write(Table::State, 1, 1, CQL_MUTATION_BYTES_MAX)], "bytes, more than 15728640"),
        (vec![write(Table::State, 1, 1, 0); CQL_MUTATION_ROWS_MAX + 1], "65536 rows, more than 65535"),
        (vec![late], "timestamp 9223372036854775808"),
    ];
    for (writes, expect) in cases {
        let refused = requests(vec![Mutation(writes)]).unwrap_err();
        let text = refused.to_string();
        assert!(matches!(refused, StoreError::Invalid(_)) && text.contains(expect) && text.contains("State"), "{text}");
    }
}
