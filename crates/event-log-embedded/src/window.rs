//! Reads a segment file through a moving window, batch by batch; finds the next batch behind damage.

use std::io;

use corral_segment::format::{BATCH_HEADER_BYTES, BatchHead, claimed_bytes, decode_batch, decode_shape};

use crate::planted;
use crate::storage::StorageFile;

/// Sectors are skipped in pieces of this size when the device cannot read them, and when they hold only zeros.
const PIECE_BYTES: usize = 4_096;
const ZEROS: [u8; PIECE_BYTES] = [0; PIECE_BYTES];

/// A view of `[0, end)` of a file. Bytes that the device cannot read look like zeros: damage, like any other.
pub(crate) struct Window<'f> {
    file: &'f dyn StorageFile,
    salt: u64,
    end: u64,
    ahead_bytes: usize,
    start: u64,
    buffer: Vec<u8>,
}

/// A whole batch whose CRC is right.
pub(crate) struct Frame<'w> {
    pub(crate) head: BatchHead,
    pub(crate) bytes: &'w [u8],
}

impl<'f> Window<'f> {
    /// `ahead_bytes`: how much is read at once, where more is not needed.
    pub(crate) fn new(file: &'f dyn StorageFile, salt: u64, end: u64, ahead_bytes: usize) -> Self {
        Self { file, salt, end, ahead_bytes: ahead_bytes.max(PIECE_BYTES), start: 0, buffer: Vec::new() }
    }

    /// The batch at `at`, if a valid one stands there.
    pub(crate) fn frame(&mut self, at: u64) -> io::Result<Option<Frame<'_>>> {
        let salt = self.salt;
        let Some(bytes) = claimed_bytes(self.bytes(at, BATCH_HEADER_BYTES)?, salt) else {
            return Ok(None);
        };
        let batch = self.bytes(at, bytes)?;
        if batch.len() < bytes {
            return Ok(None);
        }
        Ok(decode(batch).map(|head| Frame { head, bytes: batch }))
    }

    /// The place of the first valid batch at or behind `at` whose first offset is in `[from, below)`.
    pub(crate) fn find(&mut self, at: u64, from: u64, below: u64) -> io::Result<Option<(u64, BatchHead)>> {
        let mut at = at;
        while at < self.end {
            let salt = self.salt.to_le_bytes();
            let piece = self.bytes(at, PIECE_BYTES)?;
            if piece.len() < salt.len() {
                return Ok(None);
            }
            let zeros = piece[..] == ZEROS[..piece.len()];
            let hit = if zeros { None } else { piece.windows(salt.len()).position(|window| window == salt) };
            let Some(hit) = hit else {
                // The salt may begin in the last bytes of this piece.
                at += (piece.len() - salt.len() + 1) as u64;
                continue;
            };
            at += hit as u64;
            if let Some(frame) = self.frame(at)?
                && (from..below).contains(&frame.head.first)
            {
                let head = frame.head;
                return Ok(Some((at, head)));
            }
            at += 1;
        }
        Ok(None)
    }

    /// Whether anything but zeros stands at or behind `at`.
    pub(crate) fn is_dirty(&mut self, at: u64) -> io::Result<bool> {
        let mut at = at;
        while at < self.end {
            let piece = self.bytes(at, PIECE_BYTES)?;
            if piece.is_empty() {
                break;
            }
            if piece[..] != ZEROS[..piece.len()] {
                return Ok(true);
            }
            at += piece.len() as u64;
        }
        Ok(false)
    }

    /// Up to `len` bytes at `at`: fewer only at the end.
    pub(crate) fn bytes(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let len = len.min(self.end.saturating_sub(at) as usize);
        let inside = at >= self.start && at + len as u64 <= self.start + self.buffer.len() as u64;
        if !inside {
            let want = len.max(self.ahead_bytes).min(self.end.saturating_sub(at) as usize);
            self.buffer.resize(want, 0);
            self.start = at;
            let read = match self.file.read_at(at, &mut self.buffer) {
                Ok(read) => read,
                Err(error) if is_device_error(&error) => read_past_bad_sectors(self.file, at, &mut self.buffer)?,
                Err(error) => {
                    self.buffer.clear();
                    return Err(error);
                }
            };
            self.buffer.truncate(read);
        }
        let from = (at - self.start) as usize;
        Ok(&self.buffer[from..(from + len).min(self.buffer.len())])
    }
}

fn decode(batch: &[u8]) -> Option<BatchHead> {
    if planted::bug(planted::CRC_SKIPPED) { decode_shape(batch) } else { decode_batch(batch) }
}

fn is_device_error(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

fn read_past_bad_sectors(file: &dyn StorageFile, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    for piece in buffer.chunks_mut(PIECE_BYTES) {
        let read = match file.read_at(at + done as u64, piece) {
            Ok(read) => read,
            Err(error) if is_device_error(&error) => {
                tracing::warn!(at = at + done as u64, %error, "sectors of a segment cannot be read");
                piece.fill(0);
                piece.len()
            }
            Err(error) => return Err(error),
        };
        done += read;
        if read < piece.len() {
            break;
        }
    }
    Ok(done)
}
