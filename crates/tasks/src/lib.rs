//! The clock, the supervision of tasks and threads, and the shutdown that follows the flow.
//!
//! Nothing else in Corral reads the machine's clock, spawns a task or starts a thread: what a task's end means is said
//! once, by its [`Kind`], and tests own time by a [`ManualClock`].
//!
//! ```text
//! config -> build -> Tasks::spawn … -> Tasks::run -> drain stage by stage -> exit code
//! ```

pub mod clock;
pub mod kind;
pub mod shutdown;
pub mod signal;
pub mod supervisor;

pub use clock::{Clock, ManualClock};
pub use kind::{Kind, Stage};
pub use shutdown::Shutdown;
pub use supervisor::{TaskError, Tasks};
