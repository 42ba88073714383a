//! The query service: the four questions of `query.proto`, as gRPC ([`rpc`]) and as HTTP + JSON ([`json`]).
//!
//! Path of a question: bytes → message (a field that is not known is refused by name) → [`Questions`], which turns it into
//! the engine's own types and the answer back → bytes. Both doors share all but the first and the last step; rights are
//! checked before, and every question is asked within the asker's organization.

mod json;
mod question;
mod rpc;

pub use json::{Method, answer_json};
pub use question::Questions;
pub use rpc::QueryRpc;
