//! The headers of a record: `t`, the append time in microseconds as 8 bytes, little-endian; `traceparent`, where there is
//! a trace, as text (W3C), so that whoever looks at the topic can follow it.

use corral_domain::Micros;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};

const APPEND_TIME: &str = "t";
const TRACE_PARENT: &str = "traceparent";

pub(crate) fn write(append_time: Micros, trace: Option<&str>) -> OwnedHeaders {
    let time = append_time.0.to_le_bytes();
    let headers = OwnedHeaders::new_with_capacity(1 + usize::from(trace.is_some()));
    let headers = headers.insert(Header { key: APPEND_TIME, value: Some(&time) });
    match trace {
        Some(trace) => headers.insert(Header { key: TRACE_PARENT, value: Some(trace) }),
        None => headers,
    }
}

/// When the record was appended; by Kafka's own stamp where it was not us who wrote it.
pub(crate) fn append_time(message: &impl Message) -> Micros {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    let ours = headers.filter(|header| header.key == APPEND_TIME).filter_map(|header| header.value?.try_into().ok());
    let stamped = || message.timestamp().to_millis().unwrap_or_default().saturating_mul(1_000);
    Micros(ours.map(i64::from_le_bytes).next().unwrap_or_else(stamped))
}
