//! The client of one process: its spool, its shipper, its runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use corral_domain::RunEntry;
use corral_domain::run::RunOpened;
use corral_spool::{Options, Owner, Spool, WriterIdentity, fork_generation};
use corral_tasks::Clock;
use rand::Rng;

use crate::ClientError;
use crate::connect::endpoint;
use crate::item;
use crate::naming::system_random;
use crate::query::Query;
use crate::run::{OpenRun, Run, checked};
use crate::settings::Settings;
use crate::shared::{LaneStatus, NewLane, Shared};
use crate::shipper::Shipper;

/// An offline spool keeps (nearly) everything in plain files, which are never dropped below this.
const OFFLINE_BYTES_MAX: u64 = 64 << 30;
const OFFLINE_RING_BYTES: usize = 1 << 20;

pub struct Client {
    settings: Settings,
    clock: Clock,
    spool: Arc<Spool>,
    shared: Arc<Shared>,
    shipper: Mutex<Option<JoinHandle<()>>>,
    generation: u32,
}

impl Client {
    /// Makes the spool and starts the shipper. Does not wait for a server.
    pub fn start(settings: Settings) -> Result<Self, ClientError> {
        let mut random = system_random();
        if !settings.offline {
            // Said now, to who can mend it, and not by a thread after some tries.
            endpoint(&settings).map_err(ClientError::Url)?;
        }
        let dir = settings.dir.join(if settings.offline { "offline" } else { "spool" });
        let mut options = Options::new(dir.clone());
        if settings.offline {
            options.ring_bytes = OFFLINE_RING_BYTES;
            options.overflow_bytes_max = OFFLINE_BYTES_MAX;
        }
        let owner = Owner { url: settings.url.clone(), ..Owner::default() };
        let spool = Arc::new(Spool::create(options, owner, random.random(), random.random())?);
        let shared = Arc::new(Shared::default());
        if !settings.offline && !spool.is_mapped() {
            shared.warn(
                "unmapped",
                "",
                &format!("{} cannot be mapped safely; a kill may take up to 50 ms of points", dir.display()),
            );
        }
        let clock = Clock::system();
        let shipper = match settings.offline {
            true => None,
            false => Some(Shipper::start(settings.clone(), clock.clone(), spool.clone(), shared.clone())?),
        };
        let generation = fork_generation();
        Ok(Self { settings, clock, spool, shared, shipper: Mutex::new(shipper), generation })
    }

    /// Enters a run as item 1 of a new writer. Returns at once; what it came to, `Run::opened` says.
    pub fn open_run(&self, open: OpenRun) -> Result<Run, ClientError> {
        let mut random = system_random();
        let id = open.id;
        let entry = RunEntry::Opened(Box::new(RunOpened {
            command_id: corral_domain::CommandId::from_bytes(random.random()),
            project_name: open.project,
            project: None,
            resume: open.resume,
            launch_id: open.launch_id,
            label: open.label,
            name: open.name,
            notes: open.notes,
            tags: open.tags,
            group: open.group,
            job_type: open.job_type,
        }));
        let opening = checked(&entry)?;
        let identity = WriterIdentity { writer_id: random.random(), epoch: 1, run_id: id.as_str().to_owned() };
        let writer = self.spool.open_writer(identity)?;
        self.spool.append_control(writer, item::ENTRY, |_| opening.to_vec())?;
        let status = Arc::new(LaneStatus::default());
        let run = Run::new(id, self.clock.clone(), (self.spool.clone(), writer), (self.shared.clone(), status.clone()));
        run.set_config(open.config);
        self.shared.add_lane(NewLane { spool: self.spool.clone(), writer, status });
        Ok(run)
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Why nothing is being sent, if so.
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble()
    }

    /// Asks this client's server; answers cover what this process knows to be durable.
    pub fn query(&self) -> Query {
        Query::new(self.settings.clone(), Some(self.shared.clone()))
    }

    /// True in a forked child: this client is its parent's, and must be leaked.
    pub fn is_inherited(&self) -> bool {
        self.generation != fork_generation()
    }

    /// Ends the shipper and, if everything is acknowledged, removes the spool; true if so.
    pub fn close(&self) -> bool {
        if self.is_inherited() {
            return false;
        }
        self.shared.stop();
        if let Some(thread) = self.shipper.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        self.shared.warn_of_rest();
        self.spool.close().unwrap_or(false)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.is_inherited() {
            // The thread is not there: joining it would wait for ever.
            let inherited = self.shipper.get_mut().unwrap_or_else(PoisonError::into_inner).take();
            std::mem::forget(inherited);
        } else {
            self.close();
        }
    }
}
