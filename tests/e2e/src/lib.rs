//! The stories of the nouns, told through the doors of a real server; see `tests/`.
