//! Bugs that the suites must find (feature `planted`, chosen by `CORRAL_PLANTED_BUG`); nothing else knows of them.

/// 6: hw lives only in memory. 10: hw jumps over a gap. 12: NaN is compared by value.
pub(crate) fn planted(bug: u32) -> bool {
    cfg!(feature = "planted") && std::env::var("CORRAL_PLANTED_BUG").is_ok_and(|chosen| chosen == bug.to_string())
}

#[cfg(all(test, feature = "planted"))]
mod tests;
