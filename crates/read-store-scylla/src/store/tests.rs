//! What a page may hold.

use corral_domain::limits::LOAD_ROWS_MAX;

use super::*;

#[test]
fn a_page_of_state_is_what_a_projector_loads_at_once() {
    assert!(page_rows(Owned::Scan { table: Table::State, below: false, reverse: false }) >= LOAD_ROWS_MAX);
}

#[test]
fn pages_of_large_rows_are_short() {
    for of in Owned::all() {
        let rows = page_rows(of);
        assert!((8..=CQL_PAGE_ROWS_MAX).contains(&rows), "{of:?}");
    }
    assert_eq!(page_rows(Owned::Scan { table: Table::Chunk, below: true, reverse: true }), 64);
    assert_eq!(page_rows(Owned::DumpRows(Table::DeadLetter)), 8);
}
