//! Which field of a message is not known here.

use std::sync::LazyLock;

use prost::bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};

use crate::FILE_DESCRIPTOR_SET;
use crate::error::ApiError;

/// Every message of `proto/corral/v1` by its name.
pub static DESCRIPTORS: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the descriptors are those that this crate was built from")
});

/// Refuses the first field found that `name` (or a message inside) does not have.
pub(crate) fn refuse(name: &str, bytes: &Bytes) -> Result<(), ApiError> {
    let descriptor = DESCRIPTORS.get_message_by_name(name).ok_or_else(ApiError::internal)?;
    let message =
        DynamicMessage::decode(descriptor, bytes.clone()).map_err(|error| ApiError::invalid("message", error))?;
    message_known(&message)
}

fn message_known(message: &DynamicMessage) -> Result<(), ApiError> {
    if let Some(field) = message.unknown_fields().next() {
        let field = format!("{}.{}", message.descriptor().name(), field.number());
        return Err(ApiError::unsupported(field, "is not known to this server"));
    }
    message.fields().try_for_each(|(_, value)| value_known(value))
}

fn value_known(value: &Value) -> Result<(), ApiError> {
    match value {
        Value::Message(message) => message_known(message),
        Value::List(values) => values.iter().try_for_each(value_known),
        Value::Map(values) => values.values().try_for_each(value_known),
        _ => Ok(()),
    }
}
