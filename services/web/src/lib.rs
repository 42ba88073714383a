//! The window: the page, its live session, login, and the HTTP door, on one port with gRPC.

pub mod assets;
