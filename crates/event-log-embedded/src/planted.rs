//! Bugs planted on purpose, to see that the suite finds them. Without the feature nothing of this
//! is compiled in and every question is answered `false`.

/// An acknowledgement leaves before fdatasync.
pub(crate) const ACK_BEFORE_SYNC: u8 = 1;
/// A batch whose CRC is wrong is served.
pub(crate) const CRC_SKIPPED: u8 = 2;
/// Recovery truncates at the first damage, though valid records follow.
pub(crate) const TRUNCATE_AT_DAMAGE: u8 = 3;
/// The directory is not synced after a new segment was put into it.
pub(crate) const DIRECTORY_NOT_SYNCED: u8 = 4;
/// Trimmed segments are removed before the new start is durable.
pub(crate) const UNLINK_BEFORE_START: u8 = 5;

#[cfg(feature = "planted")]
pub(crate) fn bug(number: u8) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<u8>> = std::sync::OnceLock::new();
    let read = || std::env::var("CORRAL_PLANTED_BUG").ok().and_then(|text| text.parse().ok());
    *CHOSEN.get_or_init(read) == Some(number)
}

#[cfg(not(feature = "planted"))]
pub(crate) const fn bug(_number: u8) -> bool {
    false
}
