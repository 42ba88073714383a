//! Bugs that the suites must find; nothing of this is in a release.

/// Whether bug `number` is planted (feature `planted`, variable `CORRAL_PLANTED_BUG`).
#[cfg(feature = "planted")]
pub(crate) fn bug(number: u32) -> bool {
    std::env::var("CORRAL_PLANTED_BUG").is_ok_and(|bug| bug == number.to_string())
}

#[cfg(not(feature = "planted"))]
pub(crate) const fn bug(_: u32) -> bool {
    false
}
