//! The contract, on a real broker.

use std::sync::Arc;

use corral_event_log::contract::Fixture;
use corral_event_log::{Clock, EventLog, event_log_contract};
use corral_event_log_kafka::{KafkaLog, KafkaSettings, Options};

use crate::broker;

struct KafkaFixture(KafkaSettings);

impl Fixture for KafkaFixture {
    fn open(&self, clock: Clock) -> Arc<dyn EventLog> {
        let options = Options { clock, trace: None };
        let settings = self.0.clone();
        // The suite opens logs within its own runtime, which must not be waited on.
        let opening = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(KafkaLog::open(settings, options))
        });
        Arc::new(opening.join().expect("no panic").expect("the log opens"))
    }

    fn keeps(&self) -> bool {
        true
    }
}

event_log_contract!(kafka, KafkaFixture(broker::settings("contract")));
