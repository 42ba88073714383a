//! The rules of the house hold.

use xtask::{against_list, layers, nouns, tidy};

#[track_caller]
fn holds(errors: Vec<String>) {
    assert!(errors.is_empty(), "\n{}\n", errors.join("\n"));
}

#[test]
fn files_are_tidy() {
    holds(tidy::check());
}

#[test]
fn layers_hold() {
    holds(layers::check());
}

#[test]
fn nouns_have_their_files() {
    holds(nouns::check());
}

#[test]
fn a_list_can_only_shrink() {
    let errors = against_list(vec!["a: new".into(), "b: known".into()], "b # why\nc\n", "list");
    assert_eq!(errors, ["a: new", "list: `c` is not needed any more: take the line out"]);
}
