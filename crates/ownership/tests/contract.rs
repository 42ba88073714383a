//! The contract, of every ownership that needs no cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use corral_ownership::contract::{Fixture, Process};
use corral_ownership::{Fixed, Lease, MemoryTable, Settings, Timing, ownership_contract};
use corral_tasks::{Clock, Tasks};

const PARTITIONS: u16 = 7;

struct All;

impl Fixture for All {
    fn partitions(&self) -> u16 {
        PARTITIONS
    }
    fn count(&self) -> u16 {
        1
    }
    fn start(&self) -> Process {
        Process { ownership: Arc::new(Fixed::all(PARTITIONS)), tasks: Tasks::new() }
    }
}

#[derive(Default)]
struct Replicas(AtomicU16);

impl Fixture for Replicas {
    fn partitions(&self) -> u16 {
        PARTITIONS
    }
    fn count(&self) -> u16 {
        3
    }
    fn start(&self) -> Process {
        let index = self.0.fetch_add(1, Ordering::SeqCst);
        let ownership = Fixed::replica((index, 3), PARTITIONS).expect("a replica");
        Process { ownership: Arc::new(ownership), tasks: Tasks::new() }
    }
}

#[derive(Default)]
struct Leases(Arc<MemoryTable>);

impl Fixture for Leases {
    fn partitions(&self) -> u16 {
        PARTITIONS
    }
    fn count(&self) -> u16 {
        3
    }
    fn start(&self) -> Process {
        let timing = Timing {
            beat: Duration::from_millis(50),
            look: Duration::from_millis(20),
            retry: Duration::from_millis(20),
            ..Timing::default()
        };
        let settings = Settings { partitions: PARTITIONS, address: "127.0.0.1:1".to_owned(), timing };
        let tasks = Tasks::new();
        Process { ownership: Lease::start(self.0.clone(), settings, (&Clock::system(), &tasks)), tasks }
    }
}

ownership_contract!(all, All);
ownership_contract!(replicas, Replicas::default());
ownership_contract!(leases, Leases::default());
