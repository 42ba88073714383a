//! Round trips, bounds, and the golden bytes of the first version.

use super::*;
use corral_domain::metric::{Goal, MetricDef, MetricRegistered, SummaryRule};
use corral_domain::project::ProjectNameClaimed;
use corral_domain::run::*;
use corral_domain::scalar::{ConfigEntry, Scalar};
use corral_domain::*;

fn entries() -> Vec<RunEntry> {
    let le = |values: &[i64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>().into();
    let opened = RunOpened {
        command_id: CommandId::from_bytes([1; 16]),
        project_name: "digits".into(),
        project: Some(ProjectId::from_bytes([2; 16])),
        resume: Resume::Allow,
        launch_id: "l1".into(),
        label: "rank0".into(),
        name: "swift-mesa-41".into(),
        notes: "n".into(),
        tags: vec!["a".into()],
        group: "g".into(),
        job_type: "train".into(),
    };
    let scalars = vec![
        Scalar::Null,
        Scalar::Bool(true),
        Scalar::I64(-(1 << 53) - 1),
        Scalar::U64(u64::MAX),
        Scalar::F64(-0.0),
        Scalar::Text("ü".into()),
    ];
    vec![
        RunEntry::Opened(Box::new(opened)),
        RunEntry::MetricRegistered(MetricRegistered { id: 0, name: "loss".into() }),
        RunEntry::MetricDefined(MetricDef {
            name: "val/*".into(),
            step_metric: "epoch".into(),
            goal: Goal::Minimize,
            summary: SummaryRule::Best,
        }),
        RunEntry::ConfigChanged(vec![
            ConfigEntry { path: vec!["a".into(), "b".into()], value: Some(Scalar::List(scalars)) },
            ConfigEntry { path: vec!["gone".into()], value: None },
        ]),
        RunEntry::Points(StepGroup {
            rows: 2,
            steps: le(&[i64::MIN, i64::MAX]),
            times: le(&[1, 2]),
            columns: vec![
                Column { metric: 0, kind: ColumnType::I64, values: le(&[(1 << 53) + 1, -1]) },
                Column { metric: 1, kind: ColumnType::Bool, values: vec![0, 1].into() },
            ],
        }),
        RunEntry::Object(ObjectLogged {
            metric: 0,
            step: 3,
            time_us: 4,
            media_type: "text/plain".into(),
            body: "hi".into(),
        }),
        RunEntry::SummaryChanged(vec![("best".into(), Some(Scalar::F64(1.5))), ("old".into(), None)]),
        RunEntry::AttributesChanged(RunAttributesChanged { name: None, notes: Some("x".into()), tags: Some(vec![]) }),
        RunEntry::Gap(GapAccepted { from: 10, to: 12, why: GapReason::SpoolFull, detail: "d".into() }),
        RunEntry::Finished(RunFinished {
            state: FinishState::Failed,
            exit_code: Some(1),
            message: "m".into(),
            last_seq: 13,
        }),
    ]
}

fn envelope() -> Envelope {
    Envelope {
        stream: StreamKey::run(OrganizationId::from_bytes([7; 16]), &"r1".parse().unwrap()),
        event_id: EventId::from_bytes([3; 16]),
        kind: EventType::RunItems,
        schema_version: 1,
        min_reader_version: 1,
        codec: 0,
        actor: "ada".parse().unwrap(),
        client_time_us: -5,
        writer: Some(WriterRange { writer: WriterId::from_bytes([4; 16]), epoch: 2, first: 1, last: 13 }),
        command_id: Some(CommandId::from_bytes([1; 16])),
        take: Take(1),
        trace: TraceContext { traceparent: "00-1".into(), tracestate: String::new() },
        sealed_with: String::new(),
        payload: encode_run_items(&entries()),
        pushed: None,
    }
}

fn pushed() -> Envelope {
    let pushed = Pushed {
        log_id: LogId::from_bytes([6; 16]),
        log_epoch: LogEpoch(2),
        partition: Partition(3),
        offset: Offset(1 << 40),
        append_time: Micros(-7),
        after_hole: true,
    };
    Envelope { pushed: Some(pushed), payload: Bytes::new(), ..envelope() }
}

#[test]
fn a_record_tells_its_trace() {
    assert_eq!(traceparent(&encode_envelope(&envelope())), Some("00-1".to_owned()));
    let untraced = Envelope { trace: TraceContext::default(), ..envelope() };
    assert_eq!(traceparent(&encode_envelope(&untraced)), None);
    assert_eq!(traceparent(&Bytes::from_static(b"\xff\xff")), None);
}

#[test]
fn everything_comes_back() {
    let bytes = encode_envelope(&envelope());
    let back = decode_envelope(&bytes).unwrap();
    assert_eq!(back, envelope());
    assert_eq!(decode_run_items(&back.payload).unwrap(), entries());
    assert_eq!(item_count(&entries()), 9 - 1 + 2 + 3);
    let claim = ProjectNameClaimed { name: "digits".into(), project: ProjectId::from_bytes([9; 16]) };
    assert_eq!(decode_project_name_claimed(&encode_project_name_claimed(&claim)).unwrap(), claim);
}

/// The bytes of the first version, for ever: a change here breaks every log that was written.
#[test]
fn golden_bytes_of_version_1() {
    let golden = include_str!("../golden/v1.hex");
    let hex: String = encode_envelope(&envelope()).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, golden.trim());
    let golden = include_str!("../golden/v1-pushed.hex");
    let hex: String = encode_envelope(&pushed()).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, golden.trim());
    assert_eq!(decode_envelope(&encode_envelope(&pushed())).unwrap(), pushed());
}

#[test]
fn a_wrong_item_is_named() {
    let mut wrong = entries();
    wrong[4] = RunEntry::Points(StepGroup {
        rows: 2,
        steps: vec![0; 16].into(),
        times: vec![0; 16].into(),
        columns: vec![Column { metric: 0, kind: ColumnType::F32, values: vec![0; 7].into() }],
    });
    let error = decode_run_items(&encode_run_items(&wrong)).unwrap_err();
    assert_eq!((error.field, error.item), ("points.columns.values", Some(4)));
    assert!(decode_envelope(&Bytes::from_static(b"\xff\xff")).is_err());
}
