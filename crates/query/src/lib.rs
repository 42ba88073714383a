//! Queries over the read store.
