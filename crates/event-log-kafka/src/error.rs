//! What an error of librdkafka means to those above: retryable, or the end.

use corral_event_log::LogError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What failed, in words that are for a person; what kind of failure it is, for the caller.
pub(crate) fn log_error(what: &str, error: &KafkaError) -> LogError {
    let told = format!("kafka: {what}: {error}");
    match error.rdkafka_error_code() {
        // The producer's own state contradicts the broker's: nothing that it says can be relied on any more.
        Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::OutOfOrderSequenceNumber) => LogError::Fatal(told),
        Some(RDKafkaErrorCode::InvalidProducerEpoch | RDKafkaErrorCode::ProducerFenced) => LogError::Fatal(told),
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidRecord) => {
            LogError::Invalid(format!("{told} (the topic's max.message.bytes is too small for a record)"))
        }
        Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed) => {
            LogError::Unavailable(format!("{told} (the account of kafka.sasl lacks a right)"))
        }
        // Timed out, no leader, too few replicas, no broker: what was asked for may have been done, and may be tried again.
        _ => match error {
            KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => LogError::Invalid(told),
            _ => LogError::Unavailable(told),
        },
    }
}

/// The topic or the partition is not there: it was deleted, or is not known everywhere yet.
pub(crate) fn is_missing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
        )
    )
}

/// The consumer's position is not (any more) in the log.
pub(crate) fn is_out_of_range(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::LogTruncation)
    )
}
