//! Every bound of the event path in one table (invariant 9): the unit is the last word of the name.

/// A record: one envelope, one offset. Brokers and Event Hubs stop at 1 MB.
pub const RECORD_BYTES_MAX: usize = 900_000;
/// An item: a bigger `log()` call becomes several items of one step.
pub const ITEM_BYTES_MAX: usize = 256 * 1024;
/// One append to the event log: several records that become durable together.
pub const APPEND_BYTES_MAX: usize = 8 * 1024 * 1024;
pub const APPEND_RECORDS_MAX: usize = 8_192;
/// Appends that wait for one partition of an embedded log, how long one waits for room, and what one sync covers.
pub const LOG_QUEUE_BYTES_MAX: usize = 4 * APPEND_BYTES_MAX;
pub const LOG_APPEND_WAIT_MS_MAX: u64 = 5_000;
pub const LOG_GROUP_BYTES_MAX: usize = APPEND_BYTES_MAX;
/// Partitions of an embedded log: each has a thread.
pub const LOG_PARTITIONS_MAX: u16 = 64;
/// One read of the event log, whatever was asked for.
pub const LOG_READ_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Files of sealed segments that a partition keeps open for its readers.
pub const LOG_OPEN_FILES_MAX: usize = 8;
/// Items of one record.
pub const RECORD_ITEMS_MAX: u64 = 65_536;
/// A metric's, config path's or project's name.
pub const NAME_BYTES_MAX: usize = 512;
/// Tags, notes and other texts of a run.
pub const TAG_BYTES_MAX: usize = 256;
pub const TAGS_COUNT_MAX: usize = 64;
pub const NOTES_BYTES_MAX: usize = 64 * 1024;
/// Metrics of one run.
pub const RUN_METRICS_MAX: u32 = 100_000;
/// Parts of a config path, and the paths of one run's config.
pub const CONFIG_DEPTH_MAX: usize = 64;
pub const CONFIG_PATHS_MAX: usize = 10_000;
pub const CONFIG_BYTES_MAX: usize = 1024 * 1024;
/// A writer's label.
pub const LABEL_BYTES_MAX: usize = 64;

/// A tail is sealed at whichever of these a record reaches first (`EVENTS.md` 4), counted after trimming.
pub const TAIL_POINTS_MAX: u64 = 65_536;
pub const TAIL_RECORDS_MAX: u64 = 2_048;
pub const TAIL_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Points of a final chunk.
pub const CHUNK_POINTS: usize = 4_096;
/// Sets of one level that become one of the next.
pub const LEVEL_SETS: usize = 8;
/// A block of a set.
pub const SET_BLOCK_BYTES_MAX: usize = 64 * 1024;

/// Buckets of one series in one answer.
pub const BUCKETS_MAX: u32 = 2_000;
/// Series and raw points of one answer.
pub const ANSWER_SERIES_MAX: usize = 1_000;
pub const ANSWER_POINTS_MAX: usize = 1_000_000;
/// Runs of one page of a list.
pub const PAGE_RUNS_MAX: u32 = 1_000;
/// How long a query waits for `not_before`.
pub const NOT_BEFORE_WAIT_MS_MAX: u64 = 2_000;
/// How long a door waits for the outcome of a command.
pub const OUTCOME_WAIT_MS_MAX: u64 = 5_000;
/// A stream keeps the outcomes of its commands this long, in append time.
pub const OUTCOME_KEEP_US: i64 = 7 * 24 * 3_600 * 1_000_000;
/// A head row keeps this many summary keys; the rest wait in overflow rows.
pub const HEAD_SUMMARY_KEYS_MAX: usize = 200;
/// Derived at read: a run without an append for this long is silent, then crashed.
pub const RUN_SILENT_AFTER_US: i64 = 60 * 1_000_000;
pub const RUN_CRASHED_AFTER_US: i64 = 5 * 60 * 1_000_000;

/// How long each stage of a shutdown may take before what is left of it is dropped (60 s in all; `corral-tasks`).
pub const DRAIN_DOORS_MS_MAX: u64 = 15_000;
pub const DRAIN_PROJECTORS_MS_MAX: u64 = 15_000;
pub const DRAIN_QUERIES_MS_MAX: u64 = 5_000;
pub const DRAIN_STORAGE_MS_MAX: u64 = 20_000;
pub const DRAIN_TELEMETRY_MS_MAX: u64 = 5_000;
/// Messages that the hub keeps for a slow subscriber before that one is told to reload.
pub const HUB_MESSAGES_MAX: usize = 4_096;
/// Messages that wait to be sent to other processes; one more is dropped. A batch gathers them for so long, or so many.
pub const HUB_LINK_MESSAGES_MAX: usize = 4_096;
pub const HUB_BATCH_MS: u64 = 3;
pub const HUB_BATCH_MESSAGES_MAX: usize = 1_024;
/// Other processes whose last batch is remembered.
pub const HUB_SENDERS_COUNT_MAX: usize = 256;
/// A lease on partitions. A member counts a beat and looks at the others so often; believes for so long after a beat; is given
/// up when others saw one beat for so long, which is longer by more than clocks differ, and shorter than 10 s by two looks.
pub const LEASE_BEAT_MS: u64 = 2_000;
pub const LEASE_LOOK_MS: u64 = 500;
pub const LEASE_OWN_MS_MAX: u64 = 6_000;
pub const LEASE_STALE_MS_MIN: u64 = 8_000;
/// A member whose beat was not seen to change for so long is given no partition.
pub const LEASE_FRESH_MS_MAX: u64 = 4_000;
/// One request to the table of leases, and the wait before it is made again.
pub const LEASE_ASK_MS_MAX: u64 = 1_500;
pub const LEASE_RETRY_MS: u64 = 250;
/// How long a runner whose partition goes elsewhere may take to finish its commit: less than lies between the end of a
/// member's belief and the patience of others.
pub const RUNNER_LEAVE_MS_MAX: u64 = 1_500;
/// A row's partition key and clustering key together: what every store can take.
pub const STORE_KEY_BYTES_MAX: usize = 4_096;

/// Launches that a run's living take remembers: ranks of older ones open a new take.
pub const LAUNCHES_COUNT_MAX: usize = 64;
/// Ranges that a writer may have skipped over holes of the log; a jump beyond waits for the missing items.
pub const OPEN_RANGES_COUNT_MAX: usize = 1_000;
/// Series of one run (takes and labels multiply its metrics).
pub const RUN_SERIES_MAX: u32 = 1_000_000;
/// Merge credit is spent in steps of about so many points, so that a merge writes few, full blocks.
pub const MERGE_STEP_POINTS: u64 = 16_384;
/// Entries of one directory row of a set.
pub const DIRECTORY_ENTRIES_MAX: usize = 4_096;
/// What a record pays for merging: so many times its points, at least so many points, at least its bytes by so much.
pub const MERGE_PAY_FACTOR: u64 = 8;
pub const MERGE_PAY_POINTS_MIN: u64 = 256;
pub const MERGE_PAY_BYTES_PER_POINT: u64 = 8;
/// One commit of a projector: records, and bytes of them.
pub const COMMIT_RECORDS_MAX: usize = 4_096;
pub const COMMIT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What a projector reads of the log at once.
pub const PROJECTOR_READ_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Streams that a projector keeps in memory, and about how many bytes of them.
pub const PROJECTOR_STREAMS_MAX: usize = 4_096;
pub const PROJECTOR_STREAMS_BYTES_MAX: usize = 48 * 1024 * 1024;
/// Undecodable records in a row that stop a partition.
pub const DEAD_LETTERS_IN_A_ROW_MAX: u32 = 10;
/// Reloads of a projector in a row that end in the same words and stop the partition: two equal ones, and one more.
pub const EQUAL_RELOADS_MAX: u32 = 2;
/// Writers of a partition whose skipped records are watched at once: beyond it more are counted and not warned of.
pub const AHEAD_WRITERS_COUNT_MAX: usize = 1_000;
/// Records of a partition within which what a writer's skipped record lacks has come, where it is only late.
pub const AHEAD_LATE_RECORDS_MAX: u64 = 1_024;
/// A head row shows config leaves up to so many, each with at most so many bytes.
pub const HEAD_CONFIG_COUNT_MAX: usize = 100;
pub const HEAD_CONFIG_BYTES_MAX: usize = 256;
/// Rows of one page while a projector loads a stream.
pub const LOAD_ROWS_MAX: usize = 4_096;
/// Keys of a run's summary set by hand.
pub const SUMMARY_KEYS_MAX: usize = 1_000;
/// A projector that cannot reach its store or its log tries again after so long.
pub const PROJECTOR_RETRY_MS_MIN: u64 = 100;
pub const PROJECTOR_RETRY_MS_MAX: u64 = 5_000;
/// How often an idle projector says how far it is complete, and by how much that lags behind the clock where one process
/// appends: what it stamped earlier is durable by then. A log says of itself how late it may be.
pub const COMPLETE_THROUGH_EVERY_MS: u64 = 1_000;
pub const COMPLETE_THROUGH_LAG_US: i64 = 2_000_000;

/// The telemetry door. What a record's envelope may need beside its payload, and so what a batch may hold.
pub const ENVELOPE_BYTES_MAX: usize = 4 * 1024;
pub const BATCH_BYTES_MAX: usize = RECORD_BYTES_MAX - ENVELOPE_BYTES_MAX;
/// A frame of an append stream: a batch and its frame.
pub const APPEND_FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that are read from one connection and are not durable yet; beyond it the door stops reading.
pub const CONNECTION_WINDOW_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The same of all connections together; beyond it batches are answered "later".
pub const INGEST_WINDOW_BYTES_MAX: usize = 64 * 1024 * 1024;
pub const INGEST_ADMISSION_WAIT_MS_MAX: u64 = 250;
/// Writers of one connection, and frames that wait for a slow reader of acknowledgements.
pub const CONNECTION_WRITERS_MAX: usize = 4_096;
pub const CONNECTION_FRAMES_MAX: usize = 256;
/// Projects whose name a door remembers.
pub const PROJECT_NAMES_MAX: usize = 16_384;
/// How long a connection may take to say hello.
pub const HELLO_WAIT_MS_MAX: u64 = 10_000;
/// A part of a trace context.
pub const TRACE_BYTES_MAX: usize = 512;
/// What a draining door tells its clients to wait.
pub const DRAIN_RECONNECT_MS: u64 = 1_000;
/// What the embedded read store keeps in memory: blocks read, and rows before they are flushed (a few times over while a
/// flush is late).
pub const STORE_CACHE_BYTES_MAX: u64 = 16 * 1024 * 1024;
pub const STORE_MEMTABLE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How long a commit of the embedded read store may wait for its sync; a power loss takes no more, and replay restores it.
pub const STORE_PERSIST_EVERY_MS_MAX: u64 = 1_000;
/// A CQL read store. How long connecting may take, one request with all its attempts, and one attempt.
pub const CQL_CONNECT_MS_MAX: u64 = 8_000;
pub const CQL_REQUEST_MS_MAX: u64 = 10_000;
pub const CQL_ATTEMPT_MS_MAX: u64 = 4_000;
/// How long a change of the schema may take until all nodes agree.
pub const CQL_SCHEMA_MS_MAX: u64 = 60_000;
/// The wait before another attempt: doubled each time, and shortened by chance so that waiters do not march in step.
pub const CQL_BACKOFF_MS_MIN: u64 = 25;
pub const CQL_BACKOFF_MS_MAX: u64 = 1_000;
/// Requests under way of one process, and of one commit.
pub const CQL_REQUESTS_MAX: usize = 256;
pub const CQL_COMMIT_REQUESTS_MAX: usize = 32;
/// What a batch gathers of one partition; a bigger mutation goes alone.
pub const CQL_BATCH_BYTES_MAX: usize = 128 * 1024;
pub const CQL_BATCH_ROWS_MAX: usize = 128;
/// One mutation: engines refuse more than half a commit log segment (32 MiB unless set otherwise), and the protocol counts
/// a batch's rows in 16 bits.
pub const CQL_MUTATION_BYTES_MAX: usize = 15 * 1024 * 1024;
pub const CQL_MUTATION_ROWS_MAX: usize = 65_535;
/// Rows of one page where rows are small, and about how many bytes a page may have where they are not.
pub const CQL_PAGE_ROWS_MAX: usize = 5_000;
pub const CQL_PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Checkpoints that a partition of the log gathers before the older ones are deleted.
pub const CQL_CHECKPOINT_ROWS_MAX: u32 = 256;
/// Partition keys that a dump sorts at once, and partitions that it reads ahead.
pub const CQL_DUMP_KEYS_MAX: usize = 100_000;
pub const CQL_DUMP_READS_MAX: usize = 8;
/// Builds that did not open, kept for whoever wants to know why.
pub const STORE_ASIDE_COUNT_MAX: usize = 2;

/// Records of the vault. A session above the bound pushes out the one that ends first; a key is refused.
pub const VAULT_KEYS_COUNT_MAX: usize = 10_000;
pub const VAULT_SESSIONS_COUNT_MAX: usize = 1_000;
/// A vault that several processes share: how often each looks whether another has changed it (a key that was taken back
/// opens nothing any more after so long), and how soon one looks again for who is not known.
pub const VAULT_LOOK_MS: u64 = 2_000;
pub const VAULT_LOOK_AGAIN_MS: u64 = 250;
/// Keys of one change of it.
pub const VAULT_CHANGE_KEYS_COUNT_MAX: usize = 64;
/// How often a process looks which build of a shared read store is served.
pub const BUILD_LOOK_MS: u64 = 1_000;
/// Login links that wait to be used; one more pushes out the oldest.
pub const LOGIN_TOKENS_COUNT_MAX: usize = 16;
/// How long a login link can be used, once.
pub const LOGIN_TOKEN_KEEP_MS_MAX: u64 = 15 * 60 * 1_000;
/// How long a browser session lasts.
pub const SESSION_KEEP_US: i64 = 30 * 24 * 3_600 * 1_000_000;
/// A key's last use is written down when it has moved by this much.
pub const KEY_LAST_USED_US: i64 = 3_600 * 1_000_000;
/// The body of an HTTP request (gRPC frames have their own bound).
pub const HTTP_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Attempts at opening a build that may end with the process before the build is set aside.
pub const STORE_OPENINGS_COUNT_MAX: u32 = 3;
/// A live session: living subscriptions, bytes of a frame that a client sends, frames that wait to be sent, and how long a
/// reader may keep one waiting before it is dropped.
pub const SESSION_SUBSCRIPTIONS_MAX: usize = 512;
pub const SESSION_FRAME_BYTES_MAX: usize = 256 * 1024;
pub const SESSION_FRAMES_MAX: usize = 8;
pub const SESSION_SEND_MS_MAX: u64 = 30_000;
/// Rights of an open session are asked again so often.
pub const SESSION_RECHECK_MS: u64 = 30_000;
/// Answers of a living list are so far apart: its figures are read, and nobody reads faster.
pub const SESSION_LIST_SPACING_MS: u64 = 500;
/// A session that has had nothing to say for so long says that it lives.
pub const SESSION_MARK_MS: u64 = 5_000;
/// A browser is pinged so often; one that has left so many without any answer is gone.
pub const SESSION_PING_MS: u64 = 10_000;
pub const SESSION_PINGS_UNANSWERED_MAX: u32 = 3;

/// A segment of the archive is closed at so many bytes, or when its oldest record is so old, or at so many holes.
pub const ARCHIVE_SEGMENT_BYTES_MAX: usize = 64 * 1024 * 1024;
pub const ARCHIVE_SEGMENT_AGE_MS_MAX: u64 = 10 * 60 * 1_000;
pub const ARCHIVE_SEGMENT_HOLES_MAX: usize = 1_000;
/// What all partitions of one archiver gather at once; each has an equal share, and segments are never smaller than this.
pub const ARCHIVE_GATHERED_BYTES_MAX: usize = 128 * 1024 * 1024;
pub const ARCHIVE_SEGMENT_BYTES_MIN: usize = 1024 * 1024;
/// How long a segment that no entry names is kept: somebody may be about to name it.
pub const ARCHIVE_GARBAGE_KEEP_US: i64 = 24 * 3_600 * 1_000_000;
/// Writers of one partition whose place the archive knows, so that it can leave out what was appended twice.
pub const ARCHIVE_WRITERS_COUNT_MAX: usize = 100_000;
/// Segments of the archive that its readers keep in memory.
pub const ARCHIVE_SEGMENTS_CACHED_MAX: usize = 2;
/// How often an archiver looks at a partition where nothing comes, and how long it waits after a failure.
pub const ARCHIVE_LOOK_MS: u64 = 2_000;
pub const ARCHIVE_RETRY_MS_MIN: u64 = 500;
pub const ARCHIVE_RETRY_MS_MAX: u64 = 60_000;
/// A push. Records of one request, by bytes and by count.
pub const PUSH_BYTES_MAX: usize = 4 * 1024 * 1024;
pub const PUSH_RECORDS_MAX: usize = 4_096;
/// Such a request with its frame, and how many a server takes at a time.
pub const PUSH_FRAME_BYTES_MAX: usize = PUSH_BYTES_MAX + 256 * 1024;
pub const PUSHES_COUNT_MAX: usize = 4;
/// Runs, writers and projects of one question about what the target has.
pub const PUSH_SURVEY_COUNT_MAX: usize = 1_000;
/// How long a request of a push may take, with its attempts, before the push gives up; it goes on where it ended.
pub const PUSH_REQUEST_MS_MAX: u64 = 60_000;
pub const PUSH_ATTEMPTS_COUNT_MAX: u32 = 8;
pub const PUSH_RETRY_MS_MIN: u64 = 250;
pub const PUSH_RETRY_MS_MAX: u64 = 5_000;
/// How long a push waits for the target to decide whose a project's name is.
pub const PUSH_NAME_WAIT_MS_MAX: u64 = 30_000;
