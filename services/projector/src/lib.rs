//! The projector service.
