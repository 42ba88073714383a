//! The one place that maps what went wrong to gRPC statuses and HTTP codes.
//!
//! A caller branches on [`ApiError::reason`] and on whether it says when to come back: overload and a failing dependency
//! say "later", everything else is final. The details travel as `ErrorInfo` in the trailer `corral-error-bin`, which any
//! gRPC client can read without knowing `google.rpc`.

use std::borrow::Cow;

use bytes::Bytes;
use corral_domain::{IdError, Position};
use corral_event_codec::InvalidEvent;
use prost::Message;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::position::position_to_proto;
use crate::proto;

/// The trailer that holds an `ErrorInfo`.
pub const ERROR_TRAILER: &str = "corral-error-bin";
/// What generic gRPC clients know about coming back.
const PUSHBACK_TRAILER: &str = "grpc-retry-pushback-ms";

/// What went wrong, to branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// A field of the request is wrong.
    Invalid,
    /// A field of the request cannot be honoured here.
    Unsupported,
    /// The message is larger than can ever be taken.
    TooLarge,
    /// No key, or not one that is known.
    Unauthenticated,
    /// Known, and may not.
    Denied,
    /// The request came for a host that this is not.
    Misdirected,
    /// Not there, or somebody else's.
    NotFound,
    /// The method is not allowed on this path.
    Method,
    /// Does not follow what came before.
    Precondition,
    /// Too much at once: come back.
    Overload,
    /// A dependency cannot answer now: come back.
    Unavailable,
    /// Ours.
    Internal,
}

impl ErrorKind {
    /// The mapping, in one table.
    const fn answer(self) -> (Code, u16, &'static str) {
        match self {
            Self::Invalid => (Code::InvalidArgument, 400, "FIELD_INVALID"),
            Self::Unsupported => (Code::InvalidArgument, 400, "FIELD_UNSUPPORTED"),
            Self::TooLarge => (Code::OutOfRange, 413, "MESSAGE_TOO_LARGE"),
            Self::Unauthenticated => (Code::Unauthenticated, 401, "UNAUTHENTICATED"),
            Self::Denied => (Code::PermissionDenied, 403, "DENIED"),
            Self::Misdirected => (Code::PermissionDenied, 421, "HOST_UNKNOWN"),
            Self::NotFound => (Code::NotFound, 404, "NOT_FOUND"),
            Self::Method => (Code::Unimplemented, 405, "METHOD_UNKNOWN"),
            Self::Precondition => (Code::FailedPrecondition, 409, "PRECONDITION"),
            Self::Overload => (Code::ResourceExhausted, 429, "OVERLOADED"),
            Self::Unavailable => (Code::Unavailable, 503, "UNAVAILABLE"),
            Self::Internal => (Code::Internal, 500, "INTERNAL"),
        }
    }

    pub const fn grpc(self) -> Code {
        self.answer().0
    }

    pub const fn http(self) -> u16 {
        self.answer().1
    }

    /// The kind that a bare status (one that tonic made) stands for.
    pub fn of_code(code: Code) -> Self {
        match code {
            Code::InvalidArgument => Self::Invalid,
            Code::OutOfRange => Self::TooLarge,
            Code::Unauthenticated => Self::Unauthenticated,
            Code::PermissionDenied => Self::Denied,
            Code::NotFound => Self::NotFound,
            Code::Unimplemented => Self::Method,
            Code::FailedPrecondition | Code::AlreadyExists | Code::Aborted => Self::Precondition,
            Code::ResourceExhausted => Self::Overload,
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Self::Unavailable,
            Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Self::Internal,
        }
    }
}

/// An answer that is not the one that was asked for. Kept small: every good answer has room for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub kind: ErrorKind,
    /// UPPER_SNAKE; the kind's own unless something more precise is known.
    pub reason: &'static str,
    /// For people. Holds no secret and no path of this machine.
    pub message: Box<str>,
    /// The field of the request; empty: none.
    pub field: Cow<'static, str>,
    /// When to come back; absent: never.
    pub retry_after_ms: Option<u64>,
    pub expected_seq: Option<u64>,
    pub item_index: Option<u64>,
    /// The position reached.
    pub position: Box<Position>,
}

/// How long a caller waits before it tries again, unless something better is known.
pub const RETRY_AFTER_MS: u64 = 1_000;

impl ApiError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let retry_after_ms = matches!(kind, ErrorKind::Overload | ErrorKind::Unavailable).then_some(RETRY_AFTER_MS);
        Self {
            kind,
            reason: kind.answer().2,
            message: message.into().into_boxed_str(),
            field: Cow::Borrowed(""),
            retry_after_ms,
            expected_seq: None,
            item_index: None,
            position: Box::default(),
        }
    }

    pub fn invalid(field: impl Into<Cow<'static, str>>, why: impl std::fmt::Display) -> Self {
        let field = field.into();
        Self { field: field.clone(), ..Self::new(ErrorKind::Invalid, format!("{field}: {why}")) }
    }

    pub fn unsupported(field: impl Into<Cow<'static, str>>, why: impl std::fmt::Display) -> Self {
        let field = field.into();
        Self { field: field.clone(), ..Self::new(ErrorKind::Unsupported, format!("{field}: {why}")) }
    }

    pub fn too_large(field: &'static str, bytes: usize, bytes_max: usize) -> Self {
        let message = format!("{field}: {bytes} bytes exceed the limit of {bytes_max}");
        Self { field: Cow::Borrowed(field), ..Self::new(ErrorKind::TooLarge, message) }
    }

    /// A message whose size is not even known.
    pub fn too_large_frame(bytes_max: usize) -> Self {
        Self::new(ErrorKind::TooLarge, format!("the message exceeds the limit of {bytes_max} bytes"))
    }

    /// A batch that does not follow the one before it in its connection.
    pub fn seq_gap(expected: u64, got: u64) -> Self {
        Self {
            reason: "SEQ_GAP",
            field: Cow::Borrowed("first_seq"),
            expected_seq: Some(expected),
            ..Self::new(ErrorKind::Precondition, format!("first_seq: expected {expected} at most, got {got}"))
        }
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Ours: the caller learns that it failed and no more; what it was is logged where it is handled.
    pub fn internal() -> Self {
        Self::new(ErrorKind::Internal, "an internal error; the server's log says more")
    }

    /// What became of a frame of a stream that could not be read: [`crate::codec`] says which field it does not know, all
    /// else is tonic's.
    pub fn of_frame(status: &Status, bytes_max: usize) -> Self {
        let details = status.metadata().get_bin(ERROR_TRAILER).and_then(|value| value.to_bytes().ok());
        let details = details.and_then(|bytes| proto::ErrorInfo::decode(bytes).ok());
        match (status.code(), details) {
            (Code::InvalidArgument, Some(info)) if info.reason == ErrorKind::Unsupported.answer().2 => {
                Self::unsupported(info.field, "is not known to this server")
            }
            // tonic's own words for a frame beyond the limit.
            (Code::OutOfRange | Code::ResourceExhausted, _) => Self::too_large_frame(bytes_max),
            // A frame that is not protobuf; tonic calls that internal.
            (Code::Internal | Code::InvalidArgument, _) => Self::invalid("frame", "cannot be decoded"),
            (code, _) => Self::new(ErrorKind::of_code(code), status.message()),
        }
    }

    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }

    #[must_use]
    pub fn retry_after_ms(mut self, retry_after_ms: u64) -> Self {
        self.retry_after_ms = Some(retry_after_ms);
        self
    }

    pub fn info(&self) -> proto::ErrorInfo {
        proto::ErrorInfo {
            reason: self.reason.to_owned(),
            field: self.field.clone().into_owned(),
            retry_after_ms: self.retry_after_ms,
            expected_seq: self.expected_seq,
            item_index: self.item_index,
            position: position_to_proto(&self.position),
        }
    }

    pub fn status(&self) -> Status {
        let mut trailers = MetadataMap::new();
        trailers.insert_bin(ERROR_TRAILER, MetadataValue::from_bytes(&self.info().encode_to_vec()));
        if let Some(Ok(ms)) = self.retry_after_ms.map(|ms| MetadataValue::try_from(ms.to_string())) {
            trailers.insert(PUSHBACK_TRAILER, ms);
        }
        Status::with_metadata(self.kind.grpc(), self.message.to_string(), trailers)
    }

    /// Of `Retry-After`, whole seconds and never 0.
    pub fn retry_after_s(&self) -> Option<u64> {
        self.retry_after_ms.map(|ms| ms.div_ceil(1_000).max(1))
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        error.status()
    }
}

impl From<InvalidEvent> for ApiError {
    fn from(error: InvalidEvent) -> Self {
        Self { item_index: error.item, ..Self::invalid(error.field, error.reason) }
    }
}

impl From<IdError> for ApiError {
    fn from(error: IdError) -> Self {
        Self::invalid(error.field, error.reason)
    }
}

#[cfg(feature = "server")]
impl From<corral_query::QueryError> for ApiError {
    fn from(error: corral_query::QueryError) -> Self {
        use corral_query::QueryError as E;
        match error {
            E::NotFound { what, .. } => Self::new(ErrorKind::NotFound, format!("there is no such {what}")),
            E::Invalid { field, reason } => Self::invalid(field, reason),
            E::Unsupported { field, reason } => Self::unsupported(field, reason),
            E::Unavailable { reason, retry_after_ms, position } => {
                Self { position: Box::new(position), ..Self::unavailable(reason) }.retry_after_ms(retry_after_ms)
            }
            // What was damaged is for our log (where the caller of this logs it), not for a client.
            E::Damaged(_) => Self::internal(),
        }
    }
}

/// What a status says beyond its code, if it is one of ours.
pub fn info_of(status: &Status) -> Option<proto::ErrorInfo> {
    let bytes: Bytes = status.metadata().get_bin(ERROR_TRAILER)?.to_bytes().ok()?;
    proto::ErrorInfo::decode(bytes).ok()
}

#[cfg(test)]
mod tests;
