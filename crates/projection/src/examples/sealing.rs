//! Sealing and merging examples.
