//! The page, its session and the HTTP door.
