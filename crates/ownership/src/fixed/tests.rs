//! Shares that are numbered: together they are everything, and a wrong number names itself.

use super::*;

fn owned(fixed: &Fixed) -> Vec<u16> {
    fixed.owned().now().into_iter().map(|partition| partition.0).collect()
}

#[test]
fn replicas_have_every_count_th() {
    assert_eq!(owned(&Fixed::all(3)), [0, 1, 2]);
    assert_eq!(owned(&Fixed::replica((1, 3), 8).expect("a replica")), [1, 4, 7]);
    assert_eq!(owned(&Fixed::replica((0, 1), 2).expect("a replica")), [0, 1]);
}

#[test]
fn a_number_that_cannot_be_names_its_limit() {
    let refused = |replica| Fixed::replica(replica, 4).expect_err("a refusal").to_string();
    assert_eq!(refused((3, 3)), "replica: the index must be 0 to 2, not 3");
    assert_eq!(refused((0, 5)), "replica: the count must be 1 to 4, the partitions of the log, not 5");
    assert_eq!(refused((0, 0)), "replica: the count must be 1 to 4, the partitions of the log, not 0");
}
