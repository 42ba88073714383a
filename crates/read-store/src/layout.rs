//! How a row's value is laid out: a version byte, then its fields in order, little-endian; texts, bytes and lists have a
//! u32 length first, options and booleans one byte.
//!
//! A row is declared with [`row!`](crate::row); a new field goes to the end under a new version.

use std::collections::BTreeMap;

use bytes::Bytes;
use corral_domain::{CommandId, LogEpoch, Micros, Offset, OrganizationId, ProjectId, Take, WriterId};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{row}: {reason}")]
pub struct LayoutError {
    pub row: &'static str,
    pub reason: &'static str,
}

/// A row's value with its own version.
pub trait Row: Sized {
    const NAME: &'static str;
    const VERSION: u8;
    fn encode(&self) -> Bytes;
    fn decode(bytes: &Bytes) -> Result<Self, LayoutError>;
}

/// What stands in a row.
pub trait Field: Sized {
    fn put(&self, out: &mut Vec<u8>);
    /// Takes itself off the front; the error says what was wrong.
    fn take(input: &mut Bytes) -> Result<Self, &'static str>;
}

fn split(input: &mut Bytes, len: usize) -> Result<Bytes, &'static str> {
    if input.len() < len { Err("ends too early") } else { Ok(input.split_to(len)) }
}

macro_rules! number {
    ($($kind:ty),*) => {$(
        impl Field for $kind {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn take(input: &mut Bytes) -> Result<Self, &'static str> {
                let mut word = [0_u8; size_of::<$kind>()];
                word.copy_from_slice(&split(input, size_of::<$kind>())?);
                Ok(<$kind>::from_le_bytes(word))
            }
        }
    )*};
}
number!(u8, u16, u32, u64, i32, i64);

impl Field for f64 {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_bits().put(out);
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        u64::take(input).map(f64::from_bits)
    }
}
impl Field for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err("has a boolean that is neither 0 nor 1"),
        }
    }
}
impl Field for Bytes {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        out.extend_from_slice(self);
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        let len = u32::take(input)? as usize;
        split(input, len)
    }
}
impl Field for String {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        out.extend_from_slice(self.as_bytes());
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        String::from_utf8(Bytes::take(input)?.into()).map_err(|_| "has a text that is not UTF-8")
    }
}
impl<T: Field> Field for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        Ok(if bool::take(input)? { Some(T::take(input)?) } else { None })
    }
}
impl<T: Field> Field for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        self.iter().for_each(|value| value.put(out));
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        let len = u32::take(input)? as usize;
        // Never allocate by a declared length.
        let mut values = Vec::with_capacity(len.min(input.len()));
        for _ in 0..len {
            values.push(T::take(input)?);
        }
        Ok(values)
    }
}
impl<A: Field, B: Field> Field for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        Ok((A::take(input)?, B::take(input)?))
    }
}
impl<A: Field, B: Field, C: Field> Field for (A, B, C) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
        self.2.put(out);
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        Ok((A::take(input)?, B::take(input)?, C::take(input)?))
    }
}
impl<K: Field + Ord, V: Field> Field for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }
    fn take(input: &mut Bytes) -> Result<Self, &'static str> {
        let len = u32::take(input)?;
        let mut map = Self::new();
        for _ in 0..len {
            map.insert(K::take(input)?, V::take(input)?);
        }
        Ok(map)
    }
}

macro_rules! wrapped {
    ($($kind:ident($inner:ty)),*) => {$(
        impl Field for $kind {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }
            fn take(input: &mut Bytes) -> Result<Self, &'static str> {
                <$inner>::take(input).map($kind)
            }
        }
    )*};
}
wrapped!(Offset(u64), Micros(i64), LogEpoch(u32), Take(u32));

macro_rules! id16 {
    ($($kind:ident),*) => {$(
        impl Field for $kind {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.as_bytes());
            }
            fn take(input: &mut Bytes) -> Result<Self, &'static str> {
                $kind::from_slice(&split(input, 16)?).map_err(|_| "has an id that is not 16 bytes")
            }
        }
    )*};
}
id16!(CommandId, OrganizationId, ProjectId, WriterId);

/// A struct that stands in rows: `part! { /// doc pub struct Name { field: Type, … } }`.
#[macro_export]
macro_rules! part {
    ($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind),* }
        impl $crate::layout::Field for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::layout::Field::put(&self.$field, out);)*
            }
            fn take(input: &mut bytes::Bytes) -> Result<Self, &'static str> {
                Ok(Self { $($field: $crate::layout::Field::take(input)?),* })
            }
        }
    };
}

/// A row's value: a [`part!`](crate::part) behind a version byte.
#[macro_export]
macro_rules! row {
    ($(#[$doc:meta])* pub struct $name:ident = $version:literal { $($body:tt)* }) => {
        $crate::part! { $(#[$doc])* pub struct $name { $($body)* } }
        impl $crate::layout::Row for $name {
            const NAME: &'static str = stringify!($name);
            const VERSION: u8 = $version;
            fn encode(&self) -> bytes::Bytes {
                let mut out = vec![Self::VERSION];
                $crate::layout::Field::put(self, &mut out);
                out.into()
            }
            fn decode(bytes: &bytes::Bytes) -> Result<Self, $crate::layout::LayoutError> {
                let fail = |reason| $crate::layout::LayoutError { row: Self::NAME, reason };
                let mut input = bytes.clone();
                if <u8 as $crate::layout::Field>::take(&mut input).map_err(fail)? != Self::VERSION {
                    return Err(fail("has a version that this build does not read"));
                }
                let value = <Self as $crate::layout::Field>::take(&mut input).map_err(fail)?;
                if input.is_empty() { Ok(value) } else { Err(fail("has bytes behind its end")) }
            }
        }
    };
}

/// Builds partition and clustering keys. Numbers are big-endian, so that bytes sort as the numbers do; a text that is not
/// last has its length (u16) first.
#[derive(Clone, Debug, Default)]
pub struct KeyBytes(Vec<u8>);

impl KeyBytes {
    pub fn new() -> Self {
        Self::default()
    }
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
    pub fn text(self, text: &str) -> Self {
        self.u16(text.len() as u16).raw(text.as_bytes())
    }
    pub fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }
    pub fn u16(self, value: u16) -> Self {
        self.raw(&value.to_be_bytes())
    }
    pub fn u32(self, value: u32) -> Self {
        self.raw(&value.to_be_bytes())
    }
    pub fn u64(self, value: u64) -> Self {
        self.raw(&value.to_be_bytes())
    }
    pub fn build(self) -> Bytes {
        self.0.into()
    }
}

#[cfg(test)]
mod tests;
