//! What joins the hubs of several processes: a topic of one minute, `TOPIC.ephemeral`.
//!
//! Everything about it is lossy. A batch is sent once and not again; what the broker does not take within a second is
//! forgotten, and whoever listens begins at the end of the topic. The numbers in the headers say what was missed
//! (`corral_hub::link`), the look at the checkpoint finds the rest. So nothing waits for this, and nothing ends with it: a
//! broker that is away, or a right that is missing, is said in the log, counted, and tried again.

use std::sync::Arc;
use std::time::Duration;

use corral_event_log::{Clock, LogError};
use corral_hub::link::{Batch, Ear};
use corral_hub::{Hub, Link, SenderId};
use corral_tasks::{Kind, Shutdown, TaskError, Tasks};
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::admin::Admin;
use crate::connect::Deadline;
use crate::context::Context;
use crate::error::log_error;
use crate::read::is_passing;
use crate::settings::KafkaSettings;
use crate::timing::{HUB_DELIVERY_MS_MAX, HUB_RETRY_MS, LOOK_MS_MAX};
use crate::topic;

const SENDER: &str = "s";
const NUMBER: &str = "n";
/// Batches that wait in the client. A topic that is away costs no more.
const QUEUE_BATCHES_MAX: usize = 256;

/// Joins the hub of this process to others.
pub struct KafkaHub;

impl KafkaHub {
    /// A hub that is joined to those of other processes as soon as there is a broker. Only settings that cannot be right
    /// are an error.
    pub fn start(settings: &KafkaSettings, (clock, tasks): (Clock, &Tasks)) -> Result<Hub, LogError> {
        settings.check()?;
        let (hub, link) = Hub::linked();
        let context = Context::new(settings, clock);
        let me = SenderId(*uuid::Uuid::new_v4().as_bytes());
        let speaks = Carrier { settings: settings.clone(), context, ear: link.ear(), me };
        let hears = speaks.clone();
        let producer = speaks.producer()?;
        let told = tasks.shutdown(Kind::Telemetry);
        tasks.spawn("hub: to others", Kind::Telemetry, speaks.speak(producer, link, told.clone()));
        tasks.spawn("hub: from others", Kind::Telemetry, hears.hear(told));
        Ok(hub)
    }
}

#[derive(Clone)]
struct Carrier {
    settings: KafkaSettings,
    context: Context,
    ear: Ear,
    me: SenderId,
}

impl Carrier {
    fn producer(&self) -> Result<ThreadedProducer<Lossy>, LogError> {
        let mut config = self.settings.client();
        config
            .set("acks", "1")
            .set("linger.ms", "0")
            .set("message.send.max.retries", "0")
            .set("message.timeout.ms", HUB_DELIVERY_MS_MAX.to_string())
            .set("queue.buffering.max.messages", QUEUE_BATCHES_MAX.to_string());
        let context = Lossy { context: self.context.clone(), ear: self.ear.clone() };
        config.create_with_context(context).map_err(|error| log_error("no producer could be made for the hub", &error))
    }

    /// Sends what is published here.
    async fn speak(self, producer: ThreadedProducer<Lossy>, mut link: Link, told: Shutdown) -> Result<(), TaskError> {
        let topic = self.settings.hub_topic();
        loop {
            let batch = tokio::select! {
                batch = link.next() => batch,
                () = told.cancelled() => None,
            };
            let Some(Batch { number, bytes }) = batch else { break };
            let number = number.to_le_bytes();
            let headers = OwnedHeaders::new_with_capacity(2)
                .insert(Header { key: SENDER, value: Some(&self.me.0) })
                .insert(Header { key: NUMBER, value: Some(&number) });
            let record = BaseRecord::<(), [u8]>::to(&topic).partition(0).headers(headers).payload(&bytes);
            if producer.send(record).is_err() {
                // No room: the number is missing to those who listen.
                self.ear.sent(false);
            }
        }
        producer.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
        Ok(())
    }

    /// Says here what others publish, and again after whatever fails.
    async fn hear(self, told: Shutdown) -> Result<(), TaskError> {
        let mut is_said = false;
        while !told.is_cancelled() {
            let error = tokio::select! {
                heard = self.listen() => heard,
                () = told.cancelled() => return Ok(()),
            };
            // Whatever came meanwhile was not heard.
            self.ear.missed();
            if !std::mem::replace(&mut is_said, true) {
                tracing::warn!(%error, "the hub does not hear other processes; pages look at the checkpoint once a second");
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(HUB_RETRY_MS)) => {}
                () = told.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Until something fails.
    async fn listen(&self) -> LogError {
        match self.consumer().await {
            Ok(consumer) => loop {
                match consumer.recv().await {
                    Ok(message) => self.heard(&message),
                    // It goes on where it was.
                    Err(error) if is_passing(&error) => tracing::debug!(%error, "the hub waits for its broker"),
                    Err(error) => return log_error("the hub's topic could not be read", &error),
                }
            },
            Err(error) => error,
        }
    }

    fn heard(&self, message: &BorrowedMessage<'_>) {
        let header = |key: &str| {
            let all = message.headers().into_iter().flat_map(|headers| headers.iter());
            all.filter(|header| header.key == key).find_map(|header| header.value)
        };
        let sender = header(SENDER).and_then(|bytes| bytes.try_into().ok()).map(SenderId);
        let number = header(NUMBER).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        match (sender, number) {
            (Some(sender), _) if sender == self.me => {}
            (Some(sender), Some(number)) => self.ear.hear(sender, number, message.payload().unwrap_or_default()),
            _ => self.ear.garbage(),
        }
    }

    /// A consumer at the end of the topic, which is made if it is not there.
    async fn consumer(&self) -> Result<StreamConsumer<Context>, LogError> {
        let failed = |error: KafkaError| log_error("the hub's topic could not be read", &error);
        topic::create_ephemeral(&Admin::new(&self.settings, self.context.clone())?, &self.settings).await?;
        let config: ClientConfig = crate::read::config(self.settings.client());
        let consumer: StreamConsumer<Context> = config.create_with_context(self.context.clone()).map_err(failed)?;
        let consumer = Arc::new(consumer);
        // The end as a number: asked for as "the end", it would be that of whenever the broker is next asked.
        let (topic, asked) = (self.settings.hub_topic(), consumer.clone());
        let end = tokio::task::spawn_blocking(move || {
            let deadline = Deadline::after_ms(5 * LOOK_MS_MAX);
            loop {
                match asked.fetch_watermarks(&topic, 0, Duration::from_millis(LOOK_MS_MAX)) {
                    Ok((_, end)) => return Ok(end),
                    Err(error) if deadline.is_over() => return Err(error),
                    Err(_) => std::thread::sleep(Duration::from_millis(50)),
                }
            }
        });
        let end = end.await.map_err(|_| LogError::Unavailable("kafka: the process is ending".to_owned()))?;
        let mut place = TopicPartitionList::new();
        let end = rdkafka::Offset::Offset(end.map_err(failed)?);
        place.add_partition_offset(&self.settings.hub_topic(), 0, end).map_err(failed)?;
        consumer.assign(&place).map_err(failed)?;
        Arc::into_inner(consumer).ok_or_else(|| LogError::Unavailable("kafka: the process is ending".to_owned()))
    }
}

/// The context of a producer whose deliveries are counted and not waited for.
struct Lossy {
    context: Context,
    ear: Ear,
}

impl ClientContext for Lossy {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.context.generate_oauth_token(config)
    }
}

impl ProducerContext for Lossy {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.ear.sent(result.is_ok());
    }
}
