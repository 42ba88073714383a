//! Bugs that the suites must find (feature `planted`, chosen by `CORRAL_PLANTED_BUG`); nothing else knows of them.

/// hw lives only in memory.
pub(crate) const HW_NOT_KEPT: u32 = 6;
/// hw jumps over a gap.
pub(crate) const HW_JUMPS: u32 = 10;
/// NaN is compared by value.
pub(crate) const NAN_BY_VALUE: u32 = 12;

pub(crate) fn bug(number: u32) -> bool {
    cfg!(feature = "planted") && std::env::var("CORRAL_PLANTED_BUG").is_ok_and(|chosen| chosen == number.to_string())
}

#[cfg(all(test, feature = "planted"))]
mod tests;
