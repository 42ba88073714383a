//! Kinds of spool items and notes that this client writes. The numbers are persisted in spools.

/// `row` has the bytes.
pub(crate) const ROW: u8 = 1;
/// Bytes of `RunItems` with one entry.
pub(crate) const ENTRY: u8 = 2;
/// The same, an object whose step counts from the run's next step.
pub(crate) const OBJECT_AUTO: u8 = 3;

/// A note: what the run's opening said, so that who adopts the spool can go on.
pub(crate) const NOTE_OPENED: u8 = 100;

/// What the opening of a writer decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenedNote {
    pub(crate) take: u32,
    pub(crate) next_step: i64,
}

impl OpenedNote {
    pub(crate) fn encode(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.take.to_le_bytes());
        bytes[4..].copy_from_slice(&self.next_step.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (take, next_step) = bytes.split_first_chunk::<4>()?;
        Some(Self { take: u32::from_le_bytes(*take), next_step: i64::from_le_bytes(next_step.try_into().ok()?) })
    }
}
