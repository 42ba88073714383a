//! How others find a running server: `server.json` in its data directory, and the links that it prints.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

const FILE: &str = "server.json";

/// What `server.json` says. It holds nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announcement {
    pub(crate) pid: u32,
    /// Where programs of this machine reach it, without a slash at the end.
    pub(crate) url: String,
    /// The address that was bound.
    pub(crate) address: SocketAddr,
    pub(crate) version: String,
}

impl Announcement {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            pid: std::process::id(),
            url: local_url(address),
            address,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Replaces the file as a whole.
    pub(crate) fn write(&self, data_dir: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        let temporary = data_dir.join(format!("{FILE}.new"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, data_dir.join(FILE))?;
        File::open(data_dir)?.sync_all()
    }

    /// What the last server said that served this directory; it may have gone without removing it.
    pub(crate) fn read(data_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(data_dir.join(FILE)).ok()?).ok()
    }

    /// An orderly end takes it away, if it is still this process's own.
    pub(crate) fn remove(&self, data_dir: &Path) {
        if Self::read(data_dir).as_ref() == Some(self) {
            // A leftover names a process that is gone, which whoever reads it checks.
            let _ = fs::remove_file(data_dir.join(FILE));
        }
    }
}

/// Where a bound address is reached from this machine: "all addresses" is none.
fn local_url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_whole_read_back_and_removed_by_its_own_process_only() {
        let dir = tempfile::tempdir().unwrap();
        let own = Announcement::new("0.0.0.0:4870".parse().unwrap());
        assert_eq!(own.url, "http://127.0.0.1:4870");
        own.write(dir.path()).unwrap();
        assert_eq!(Announcement::read(dir.path()), Some(own.clone()));
        let other = Announcement { pid: own.pid + 1, ..own.clone() };
        other.remove(dir.path());
        assert!(Announcement::read(dir.path()).is_some());
        own.remove(dir.path());
        assert_eq!(Announcement::read(dir.path()), None);
        assert_eq!(Announcement::new("[::]:1".parse().unwrap()).url, "http://[::1]:1");
    }
}
