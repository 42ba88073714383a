//! An API key's text: `corral_<public id>_<secret>`, 12 characters of base 32 and 64 hexadecimal digits (256 bits).
//!
//! The public id finds the key's record and may be shown and logged; the secret is shown once. The prefix is fixed, so
//! that secret scanners know one when they see it.

use std::fmt;

use corral_credentials::Secret;
use corral_vault::{VaultError, random};

const PREFIX: &str = "corral";
const ID_CHARS: usize = 12;
/// Crockford's, in lower case: nothing that is taken for something else.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The public half of a key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
    pub(crate) fn new(text: &str) -> Option<Self> {
        let ok = text.len() == ID_CHARS && text.bytes().all(|byte| ALPHABET.contains(&byte));
        ok.then(|| Self(text.to_owned()))
    }
}
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", self.0)
    }
}

/// A key as it is handed around: not printable.
pub(crate) struct ApiKey {
    pub(crate) id: KeyId,
    pub(crate) secret: [u8; 32],
}

impl ApiKey {
    pub(crate) fn generate() -> Result<Self, VaultError> {
        let id = random::<ID_CHARS>()?.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
        Ok(Self { id: KeyId(id), secret: random()? })
    }

    /// `None` for anything that this program has not made.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.strip_prefix('_')?.split_once('_')?;
        Some(Self { id: KeyId::new(id)?, secret: from_hex(secret)? })
    }

    pub(crate) fn text(&self) -> Secret {
        Secret::new(format!("{PREFIX}_{}_{}", self.id, to_hex(&self.secret)))
    }
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lower case only: a key has one spelling.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
