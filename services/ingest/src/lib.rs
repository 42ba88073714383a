//! The telemetry door.
