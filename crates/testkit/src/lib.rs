//! What end-to-end tests stand on: a server in this process with a home of its own, and everybody who speaks to it.
//!
//! [`Sandbox`] is the server, spread as [`topology`] says; [`Writer`] a training program at its telemetry
//! door, [`Stream`] the same with every frame in the test's hand; [`Socket`] a page's live session; [`http`] whatever else
//! can be sent to a port. Nothing here knows the user's home, and nothing sleeps: answers are asked for with the position
//! that they must have.

pub mod answer;
pub mod http;
pub mod items;
pub mod logs;
pub mod sandbox;
pub mod socket;
pub mod stream;
pub mod topology;
pub mod writer;

pub use sandbox::{Bearer, Browser, Sandbox};
pub use socket::Socket;
pub use stream::Stream;
pub use writer::Writer;
