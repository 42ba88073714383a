//! An address range: who is believed about whom they speak for.

use std::net::IpAddr;

/// All addresses that share the first `bits` with `address`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// `10.0.0.0/8`, `::1`, `192.0.2.7`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok().filter(|bits| *bits <= most))?;
        Some(Self { address, bits })
    }

    /// An IPv4 address that came through an IPv6 socket is the IPv4 address.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => self.share(own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => self.share(own.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }

    fn share(&self, own: u128, other: u128, width: u8) -> bool {
        (own ^ other).checked_shr(u32::from(width - self.bits)).unwrap_or(0) == 0
    }
}
