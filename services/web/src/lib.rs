//! The window: the page, its live session, login, and the HTTP door, on one port with gRPC.
//!
//! A request passes, in this order: the [`gate`] (host and origin, who asks, the route's permission), its handler, and
//! [`assets::harden`]. Routes are made through [`route::Routes`] alone, so none is without a permission.

pub mod api;
pub mod assets;
pub mod failure;
pub mod gate;
pub mod login;
pub mod ops;
pub mod route;
pub mod session;
