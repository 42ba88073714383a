//! Bugs that the suites must find; nothing of this is in a release.

/// A subscription resumes one record too far.
pub(crate) const RESUMES_TOO_FAR: u32 = 13;

/// Whether bug `number` is planted (feature `planted`, variable `CORRAL_PLANTED_BUG`).
#[cfg(feature = "planted")]
pub(crate) fn bug(number: u32) -> bool {
    std::env::var("CORRAL_PLANTED_BUG").is_ok_and(|bug| bug == number.to_string())
}

#[cfg(not(feature = "planted"))]
pub(crate) const fn bug(_: u32) -> bool {
    false
}
