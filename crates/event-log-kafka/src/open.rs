//! Opening: topics that fit, the identity, and where each partition stands.

use std::sync::Arc;

use corral_domain::{LogEpoch, LogId, Micros, Offset, Partition};
use corral_event_log::{LogError, LogIdentity};
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::FutureRecord;

use crate::admin::Admin;
use crate::append::Producer;
use crate::context::Context;
use crate::error::{is_missing, log_error};
use crate::settings::KafkaSettings;
use crate::{blocking, connect, identity, topic};

/// How to talk to the brokers.
pub(crate) struct Brokers {
    pub(crate) settings: KafkaSettings,
    pub(crate) context: Context,
    pub(crate) consumer: ClientConfig,
    pub(crate) producer: Producer,
}

/// Where a partition stands when the log is opened.
pub(crate) struct Stand {
    pub(crate) partition: Partition,
    pub(crate) tail: Offset,
    pub(crate) last_time: Micros,
}

impl Brokers {
    pub(crate) fn reach(&self) -> Result<(), LogError> {
        connect::reach(&self.producer, &self.context)
    }

    pub(crate) fn ends(&self, partition: Partition) -> Result<(Offset, Offset), KafkaError> {
        connect::ends(&self.producer, (&self.settings.topic, partition.0))
    }

    /// The error that says that the partition is not there any more, if it is not.
    pub(crate) fn is_gone(&self, partition: Partition) -> Option<KafkaError> {
        self.ends(partition).err().filter(is_missing)
    }

    /// The identity that stands on the brokers now.
    pub(crate) fn found(&self) -> Result<Option<LogIdentity>, LogError> {
        let topic = self.settings.identity_topic();
        if connect::find(&self.producer, &topic)?.is_none() {
            return Ok(None);
        }
        let ends = connect::ends(&self.producer, (&topic, 0));
        let (start, end) = ends.map_err(|error| log_error(&format!("topic {topic} does not answer"), &error))?;
        if start > Offset::ZERO {
            let what = "its first record is gone, so nothing says which log this is";
            return Err(LogError::Fatal(format!("kafka: topic {topic}: {what}")));
        }
        let consumer = connect::consumer(&self.consumer, &self.context)?;
        let records = connect::read(&consumer, (&topic, 0), (start, end))?;
        identity::current(&records.into_iter().map(|(bytes, _)| bytes).collect::<Vec<_>>())
    }

    /// Where each partition stands, and the append time of its last record.
    pub(crate) fn stands(&self, partitions: std::ops::Range<u16>) -> Result<Vec<Stand>, LogError> {
        let topic = &self.settings.topic;
        let consumer = connect::consumer(&self.consumer, &self.context)?;
        let mut stands = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let place = (topic.as_str(), partition);
            let ends = connect::ends(&self.producer, place);
            let (start, tail) = ends.map_err(|error| log_error(&format!("topic {topic} does not answer"), &error))?;
            let last = Offset(tail.0.saturating_sub(1)).max(start);
            let last_time =
                connect::read(&consumer, place, (last, tail))?.pop().map_or(Micros(i64::MIN), |(_, time)| time);
            stands.push(Stand { partition: Partition(partition), tail, last_time });
        }
        Ok(stands)
    }

    fn holds_records(&self) -> Result<bool, LogError> {
        for partition in 0..self.settings.partitions {
            let ends = self.ends(Partition(partition));
            let (_, end) = ends.map_err(|error| log_error("the topic does not answer", &error))?;
            if end > Offset::ZERO {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The log's identity; a new one if there is no log yet.
pub(crate) async fn identity(brokers: &Arc<Brokers>, admin: &Admin) -> Result<LogIdentity, LogError> {
    let found = blocking(brokers, Brokers::found).await?;
    let made = topics(brokers, admin, found.is_some()).await?;
    let wanted = brokers.settings.partitions;
    if let Some(found) = found {
        if found.partitions != wanted {
            let has = format!("the log has {} partitions, {wanted} were asked for", found.partitions);
            return Err(LogError::Fatal(format!("kafka.partitions: {has}; the count can never change")));
        }
        return Ok(found);
    }
    if !made && blocking(brokers, Brokers::holds_records).await? {
        let topic = &brokers.settings.topic;
        return Err(LogError::Fatal(format!("kafka.topic: {topic} holds records, but {topic}.identity none")));
    }
    let new = LogIdentity { log_id: LogId(uuid::Uuid::new_v4()), log_epoch: LogEpoch(1), partitions: wanted };
    let (topic, record) = (brokers.settings.identity_topic(), identity::encode(&new));
    let message = FutureRecord::<(), [u8]>::to(&topic).partition(0).payload(&record);
    let sent = brokers.producer.send_result(message).map_err(|(error, _)| error);
    let ended = match sent {
        Ok(delivery) => delivery.await.map_or(Err(KafkaError::Canceled), |ended| ended.map_err(|(error, _)| error)),
        Err(error) => Err(error),
    };
    ended.map_err(|error| log_error("the identity record could not be written", &error))?;
    // Whoever wrote first has said which log this is.
    let stands = blocking(brokers, Brokers::found).await?;
    stands.ok_or_else(|| LogError::Fatal("kafka: the identity record was written and is not there".to_owned()))
}

/// Both topics, made where they are missing, fit to hold a log; true if the one of the records is new.
async fn topics(brokers: &Arc<Brokers>, admin: &Admin, has_identity: bool) -> Result<bool, LogError> {
    let settings = &brokers.settings;
    let mut is_new = false;
    for (name, partitions) in [(settings.identity_topic(), 1), (settings.topic.clone(), settings.partitions)] {
        let topic = name.clone();
        is_new = blocking(brokers, move |brokers| connect::find(&brokers.producer, &topic)).await?.is_none();
        if is_new && has_identity {
            return Err(LogError::Fatal(format!("kafka.topic: {name} is gone, but {name}.identity names a log in it")));
        }
        if is_new {
            topic::create(admin, settings, &name, partitions).await?;
        }
        let topic = name.clone();
        let shape = blocking(brokers, move |brokers| connect::with_leaders(&brokers.producer, &topic)).await?;
        // Without its identity a log cannot be opened again, so that topic may never forget.
        let allow_retention = settings.allow_retention && name == settings.topic;
        let wanted = KafkaSettings { allow_retention, ..settings.clone() };
        topic::check(admin, &wanted, (&name, partitions), &shape).await?;
    }
    Ok(is_new)
}
