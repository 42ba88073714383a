//! Keeps forked children off their parent's spool: a child closes the rings' descriptors (else it would hold their locks
//! after the parent's death, and nobody could adopt them) and every handle that it inherited refuses by its generation.

use std::os::fd::RawFd;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// Rings that one process holds locked at once, its own and adopted ones.
pub(crate) const LOCKED_RINGS_MAX: usize = 256;

static GENERATION: AtomicU32 = AtomicU32::new(0);
static LOCKED: [AtomicI32; LOCKED_RINGS_MAX] = [const { AtomicI32::new(-1) }; LOCKED_RINGS_MAX];
static INSTALL: Once = Once::new();

/// How many forks lie between the first process and this one.
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    for place in &LOCKED {
        let fd = place.swap(-1, Ordering::Relaxed);
        if fd >= 0 {
            // SAFETY: close is async-signal-safe. The descriptor is a ring's: its owner (`Region`) sees another generation
            // from now on and neither uses nor closes it. Closing does not release the lock, which the parent's copy holds.
            unsafe { libc::close(fd) };
        }
    }
}

/// Enters a ring's descriptor; false if there are too many.
pub(crate) fn register(fd: RawFd) -> bool {
    INSTALL.call_once(|| {
        // SAFETY: the handler only touches atomics and calls close.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
    LOCKED.iter().any(|place| place.compare_exchange(-1, fd, Ordering::Relaxed, Ordering::Relaxed).is_ok())
}

pub(crate) fn unregister(fd: RawFd) {
    for place in &LOCKED {
        if place.compare_exchange(fd, -1, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return;
        }
    }
}
