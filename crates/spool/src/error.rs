//! What can go wrong with a spool. Nothing here is ever raised into a training loop: the client counts and warns.

#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("spool: {what}: {source}")]
    Io { what: &'static str, source: std::io::Error },
    #[error("spool: an item of {bytes} bytes is above the limit of {max} bytes")]
    ItemTooLarge { bytes: usize, max: usize },
    #[error("spool: {what} is above the limit of {max}")]
    Limit { what: &'static str, max: u64 },
    #[error("spool: this process is a fork; it needs a spool of its own")]
    Forked,
    #[error("spool: writer {0} is closed or unknown")]
    NoSuchWriter(u32),
    #[error("spool: {0}")]
    Damaged(&'static str),
}

impl SpoolError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> SpoolError {
        move |source| SpoolError::Io { what, source }
    }
}
