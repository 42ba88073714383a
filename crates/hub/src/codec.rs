//! A batch of messages as bytes, between processes that may be of different versions; nothing is stored.
//!
//! ```text
//! batch      version u8 = 1, messages to the end
//! nudge      1 u8, partition u16, applied through u64, organization 16 bytes, kind u8, id length u16, id UTF-8
//! checkpoint 2 u8, partition u16, offset u64
//! ```
//!
//! Integers are little-endian. What cannot be read is refused as a whole: the sender's next batch is as good.

use corral_domain::{Offset, OrganizationId, Partition, StreamKey, StreamKind};

use crate::{Message, Nudge};

const VERSION: u8 = 1;
const NUDGE: u8 = 1;
const CHECKPOINTED: u8 = 2;

pub(crate) fn encode<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    for message in messages {
        match message {
            Message::Nudge(nudge) => {
                let Ok(length) = u16::try_from(nudge.stream.id.len()) else { continue };
                bytes.push(NUDGE);
                bytes.extend_from_slice(&nudge.partition.0.to_le_bytes());
                bytes.extend_from_slice(&nudge.applied_through.0.to_le_bytes());
                bytes.extend_from_slice(nudge.stream.organization.as_bytes());
                bytes.push(nudge.stream.kind as u8);
                bytes.extend_from_slice(&length.to_le_bytes());
                bytes.extend_from_slice(nudge.stream.id.as_bytes());
            }
            Message::Checkpointed { partition, offset } => {
                bytes.push(CHECKPOINTED);
                bytes.extend_from_slice(&partition.0.to_le_bytes());
                bytes.extend_from_slice(&offset.0.to_le_bytes());
            }
        }
    }
    bytes
}

/// `None`: not a batch of ours, or one of another version.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<Message>> {
    let mut rest = bytes.strip_prefix(&[VERSION])?;
    let mut messages = Vec::new();
    while let Some((tag, after)) = rest.split_first() {
        rest = after;
        let partition = Partition(u16::from_le_bytes(take(&mut rest)?));
        let offset = Offset(u64::from_le_bytes(take(&mut rest)?));
        messages.push(match *tag {
            NUDGE => Nudge { stream: stream(&mut rest)?, partition, applied_through: offset }.into(),
            CHECKPOINTED => Message::Checkpointed { partition, offset },
            _ => return None,
        });
    }
    Some(messages)
}

fn stream(rest: &mut &[u8]) -> Option<StreamKey> {
    let organization = OrganizationId::from_bytes(take(rest)?);
    let kind = match take::<1>(rest)?[0] {
        1 => StreamKind::Organization,
        2 => StreamKind::Project,
        3 => StreamKind::Run,
        _ => return None,
    };
    let length = usize::from(u16::from_le_bytes(take(rest)?));
    let (id, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(StreamKey { organization, kind, id: std::str::from_utf8(id).ok()?.to_owned() })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests;
