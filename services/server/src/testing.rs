//! A server in this process, and a training program that speaks to it, for the tests of this crate.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use bytes::Bytes;
use corral_access::Secret;
use corral_credentials::Credentials;
use corral_domain::metric::MetricRegistered;
use corral_domain::run::{GapAccepted, GapReason, RunOpened};
use corral_domain::{Column, ColumnType, CommandId, RunEntry, StepGroup};
use corral_tasks::{Clock, Tasks};
use corral_wire::proto;
use corral_wire::proto::ingest_service_client::IngestServiceClient;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};

use crate::config::{Config, Sources};
use crate::serve::{Running, StartError};
use crate::wiring::{Backends, Log, Stores};

/// A home of its own, with a data directory in it.
pub(crate) struct Home(pub(crate) tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub(crate) fn config(&self) -> Config {
        let home = self.0.path().to_str().expect("a path in UTF-8");
        let env = |name: &str| (name == "HOME").then(|| OsString::from(home));
        let data_dir = format!("{home}/data");
        let flags = BTreeMap::from([("listen", "127.0.0.1:0".to_owned()), ("data_dir", data_dir)]);
        Config::load(&Sources { env: &env, file: None, flags }).expect("a configuration")
    }

    pub(crate) async fn start(&self) -> Result<Running, StartError> {
        Running::start(&self.config(), Clock::system(), Tasks::new()).await
    }

    /// The event log and the builds of a directory that no server has.
    pub(crate) async fn opened(&self) -> (Log, Stores) {
        let opened = crate::wiring::open(&self.config(), &Clock::system(), &Tasks::new()).await;
        let Ok(Backends { log, stores, .. }) = opened else { panic!("the data directory does not open") };
        (log, stores)
    }

    /// The builds alone.
    pub(crate) async fn stores(&self) -> Stores {
        let (log, stores) = self.opened().await;
        log.close();
        stores
    }

    /// The owner's key, from where the first start put it.
    pub(crate) fn key(&self) -> Secret {
        let path = self.config().credentials.expect("a place for credentials");
        let credentials = Credentials::load(&path).expect("credentials");
        let url = credentials.default_url().expect("a default").to_owned();
        credentials.key(&url).expect("a key").clone()
    }
}

pub(crate) fn is_success(code: ExitCode) -> bool {
    format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS)
}

/// A writer of a run, over the unary door.
pub(crate) struct Writer {
    door: IngestServiceClient<tonic::transport::Channel>,
    authorization: MetadataValue<Ascii>,
    run: String,
    epoch: u32,
    next: u64,
    take: u32,
    log_epoch: u32,
}

impl Writer {
    pub(crate) async fn open(running: &Running, key: &Secret, run: &str) -> Self {
        let door = IngestServiceClient::connect(running.url().to_owned()).await.expect("a connection");
        let authorization = format!("Bearer {}", key.expose()).parse().expect("a header");
        let mut writer = Self { door, authorization, run: run.to_owned(), epoch: 1, next: 1, take: 0, log_epoch: 0 };
        let opened = writer.append(vec![RunEntry::Opened(Box::new(opening(run)))], 1).await.opened.expect("an outcome");
        assert_eq!(opened.refusal, 0, "{opened:?}");
        writer.take = opened.take;
        writer.append(vec![RunEntry::MetricRegistered(MetricRegistered { id: 0, name: "loss".to_owned() })], 1).await;
        writer
    }

    /// `rows` calls of `log()` with one metric.
    pub(crate) async fn points(&mut self, rows: u32) -> proto::PartitionOffset {
        let words = |of: &dyn Fn(u32) -> [u8; 8]| -> Bytes { (0..rows).flat_map(of).collect::<Vec<u8>>().into() };
        let from = self.next as i64;
        let column =
            Column { metric: 0, kind: ColumnType::F64, values: words(&|row| (1.0 / f64::from(row + 1)).to_le_bytes()) };
        let group = StepGroup {
            rows,
            steps: words(&|row| (from + i64::from(row)).to_le_bytes()),
            times: words(&|row| (from + i64::from(row)).to_le_bytes()),
            columns: vec![column],
        };
        let answer = self.append(vec![RunEntry::Points(group)], u64::from(rows)).await;
        answer.ack.expect("an acknowledgement").position.expect("a position")
    }

    /// What comes next begins at `seq`, as from a client that missed acknowledgements.
    pub(crate) fn again(&mut self, seq: u64) {
        self.next = seq;
    }

    /// A writer whose opening was refused, and became a gap: a dead letter.
    pub(crate) async fn never_opened(&mut self) {
        (self.epoch, self.next, self.take) = (self.epoch + 1, 1, 0);
        let gap = GapAccepted { from: 1, to: 1, why: GapReason::Refused, detail: String::new() };
        self.append(vec![RunEntry::Gap(gap)], 1).await;
    }

    async fn append(&mut self, entries: Vec<RunEntry>, items: u64) -> proto::AppendOnceResponse {
        let (first, last) = (self.next, self.next + items - 1);
        let mut request = Request::new(proto::AppendOnceRequest {
            hello: Some(proto::ClientHello { protocol_version: 1, client: "test".to_owned() }),
            writer: Some(proto::OpenWriter {
                handle: 1,
                run_id: self.run.clone(),
                writer_id: Bytes::from_static(&[7; 16]),
                writer_epoch: self.epoch,
                last_acked_seq: first - 1,
                acked_log_epoch: self.log_epoch,
                acked_actor: String::new(),
            }),
            batch: Some(proto::AppendBatch {
                handle: 1,
                first_seq: first,
                last_seq: last,
                take: self.take,
                client_time_us: 1,
                items: corral_event_codec::encode_run_items(&entries),
                trace: None,
            }),
        });
        request.metadata_mut().insert("authorization", self.authorization.clone());
        self.next = last + 1;
        let answer = self.door.append_once(request).await.expect("an answer").into_inner();
        self.log_epoch = answer.hello.as_ref().map_or(0, |hello| hello.log_epoch);
        answer
    }
}

fn opening(run: &str) -> RunOpened {
    RunOpened::new(CommandId::from_bytes([run.len() as u8; 16]), "p", "l")
}
