//! How messages of an RPC become bytes: as prost does it, save that a request with a field that this build does not know
//! is refused by its number. Nothing is accepted and ignored.

use std::marker::PhantomData;

use prost::bytes::{Buf, Bytes};
use prost::{Message, Name};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

use crate::error::ApiError;

/// What the generated clients and servers use.
#[derive(Clone, Debug)]
pub struct WireCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for WireCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for WireCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = WireDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        WireDecoder(PhantomData)
    }
}

#[derive(Clone, Debug)]
pub struct WireDecoder<U>(PhantomData<U>);

impl<U: Message + Name + Default> Decoder for WireDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // Splits off the buffer: the message's own bytes keep pointing into what came from the socket.
        let bytes = buf.copy_to_bytes(buf.remaining());
        let message = match U::NAME.ends_with("Request") {
            true => decode_request::<U>(&bytes)?,
            // A newer server's answer may say more than this client knows.
            false => decode_any::<U>(bytes)?,
        };
        Ok(Some(message))
    }
}

fn decode_any<M: Message + Default>(bytes: Bytes) -> Result<M, ApiError> {
    M::decode(bytes).map_err(|error| ApiError::invalid("message", error))
}

/// Decodes a request and refuses what it would drop.
pub fn decode_request<M: Message + Name + Default>(bytes: &Bytes) -> Result<M, ApiError> {
    let message = decode_any::<M>(bytes.clone())?;
    // Known fields as they are always written have this very length; what has another is looked at field by field. (No
    // request has a field that could be written shorter, save enums, and a negative one is refused.)
    if message.encoded_len() != bytes.len() {
        refuse_unknown(&M::full_name(), bytes)?;
    }
    Ok(message)
}

/// Refuses the first field of `bytes` that the message called `name`, or a message inside, does not have.
#[cfg(feature = "server")]
pub fn refuse_unknown(name: &str, bytes: &Bytes) -> Result<(), ApiError> {
    crate::unknown::refuse(name, bytes)
}

/// A client decodes no requests.
#[cfg(not(feature = "server"))]
fn refuse_unknown(_: &str, _: &Bytes) -> Result<(), ApiError> {
    Ok(())
}

#[cfg(all(test, feature = "server"))]
mod tests;
