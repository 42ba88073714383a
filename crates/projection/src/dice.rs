//! splitmix64: the same everywhere for a seed.

/// A source of numbers that only look random.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `[0, count)`; 0 for 0.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        self.roll().checked_rem(count).unwrap_or_default()
    }
}
