//! Every wait of this log in one table, the unit last in its name.

/// A broker has so long to answer a request. Kafka's clients allow 30 s and 60 s: a stopped leader would hold every
/// append for as long, though a follower is ready after the broker's own session timeout. A socket has to outlive the
/// longest fetch (500 ms) by a second.
pub(crate) const REQUEST_MS_MAX: u64 = 2_000;
pub(crate) const SOCKET_MS_MAX: u64 = 3_000;
/// An append is answered within so long, whatever happens: longer than a fail-over, shorter than a client's patience.
pub(crate) const DELIVERY_MS_MAX: u64 = 20_000;
/// An append is stamped before it is sent, by whichever process appends: so late is it in the log, with what their clocks
/// may differ by.
pub(crate) const STAMP_US_MAX: i64 = (DELIVERY_MS_MAX as i64 + 5_000) * 1_000;
/// Opening: to reach a broker that lets us in, or to say which setting is wrong.
pub(crate) const REACH_MS_MAX: u64 = 8_000;
/// A look at a broker's metadata, and at the ends of a partition.
pub(crate) const LOOK_MS_MAX: u64 = 1_000;
pub(crate) const EXTENT_MS_MAX: u64 = 10_000;
/// Making topics, reading their settings, trimming.
pub(crate) const ADMIN_MS_MAX: u64 = 10_000;
/// A new topic has leaders after so long.
pub(crate) const LEADERS_MS_MAX: u64 = 20_000;
/// A record that the log has is there after so long, a fail-over included.
pub(crate) const READ_MS_MAX: u64 = 15_000;
/// A read that has some records waits so long for more of what the log has.
pub(crate) const MORE_MS_MAX: u64 = 20;
/// A wait looks this often whether its partition was stopped.
pub(crate) const FOLLOW_MS_MAX: u64 = 5_000;
/// A token that does not say when it ends is read again after so long.
pub(crate) const TOKEN_MS: i64 = 5 * 60 * 1_000;
/// A batch of the hub that was not delivered after so long is forgotten; who does not hear others tries again after so long.
pub(crate) const HUB_DELIVERY_MS_MAX: u64 = 1_000;
pub(crate) const HUB_RETRY_MS: u64 = 1_000;
