//! RPC messages to domain types and back; one place maps errors to statuses.
