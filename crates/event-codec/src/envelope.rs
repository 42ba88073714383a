//! The envelope.

use corral_domain::{
    Actor, CommandId, Envelope, EventId, EventType, LogEpoch, LogId, Micros, Offset, OrganizationId, Partition, Pushed,
    StreamKey, StreamKind, Take, TraceContext, WriterId, WriterRange,
};

use crate::{InvalidEvent, proto};

pub(crate) fn to_proto(envelope: &Envelope) -> proto::Envelope {
    let trace = &envelope.trace;
    proto::Envelope {
        stream: Some(proto::StreamKey {
            organization: envelope.stream.organization.as_bytes().to_vec().into(),
            kind: envelope.stream.kind as i32,
            id: envelope.stream.id.clone(),
        }),
        event_id: envelope.event_id.as_bytes().to_vec().into(),
        r#type: envelope.kind as i32,
        schema_version: envelope.schema_version,
        min_reader_version: envelope.min_reader_version,
        codec: envelope.codec,
        actor: envelope.actor.as_str().to_owned(),
        client_time_us: envelope.client_time_us,
        writer: envelope.writer.map(|w| proto::WriterRange {
            writer_id: w.writer.as_bytes().to_vec().into(),
            epoch: w.epoch,
            first_seq: w.first,
            last_seq: w.last,
        }),
        command_id: envelope.command_id.map(|id| id.as_bytes().to_vec().into()).unwrap_or_default(),
        take: envelope.take.0,
        trace: (*trace != TraceContext::default()).then(|| proto::TraceContext {
            traceparent: trace.traceparent.clone(),
            tracestate: trace.tracestate.clone(),
        }),
        sealed_with: envelope.sealed_with.clone(),
        payload: envelope.payload.clone(),
        pushed: envelope.pushed.map(|pushed| proto::Pushed {
            log_id: pushed.log_id.as_bytes().to_vec().into(),
            log_epoch: pushed.log_epoch.0,
            partition: u32::from(pushed.partition.0),
            offset: pushed.offset.0,
            append_time_us: pushed.append_time.0,
            after_hole: pushed.after_hole,
        }),
    }
}

pub(crate) fn from_proto(proto: proto::Envelope) -> Result<Envelope, InvalidEvent> {
    let stream = proto.stream.ok_or_else(|| InvalidEvent::new("stream", "is missing"))?;
    let kind = match proto::StreamKind::try_from(stream.kind) {
        Ok(proto::StreamKind::Organization) => StreamKind::Organization,
        Ok(proto::StreamKind::Project) => StreamKind::Project,
        Ok(proto::StreamKind::Run) => StreamKind::Run,
        _ => return Err(InvalidEvent::new("stream.kind", format!("{} is not known", stream.kind))),
    };
    let event = match proto::EventType::try_from(proto.r#type) {
        Ok(proto::EventType::RunItems) => EventType::RunItems,
        Ok(proto::EventType::RunHeartbeat) => EventType::RunHeartbeat,
        Ok(proto::EventType::ProjectNameClaimed) => EventType::ProjectNameClaimed,
        _ => return Err(InvalidEvent::new("type", format!("{} is not known", proto.r#type))),
    };
    Ok(Envelope {
        stream: StreamKey { organization: OrganizationId::from_slice(&stream.organization)?, kind, id: stream.id },
        event_id: EventId::from_slice(&proto.event_id)?,
        kind: event,
        schema_version: proto.schema_version,
        min_reader_version: proto.min_reader_version,
        codec: proto.codec,
        actor: proto.actor.parse::<Actor>()?,
        client_time_us: proto.client_time_us,
        writer: proto.writer.map(writer_range).transpose()?,
        command_id: match proto.command_id.len() {
            0 => None,
            _ => Some(CommandId::from_slice(&proto.command_id)?),
        },
        take: Take(proto.take),
        trace: proto
            .trace
            .map(|t| TraceContext { traceparent: t.traceparent, tracestate: t.tracestate })
            .unwrap_or_default(),
        sealed_with: proto.sealed_with,
        payload: proto.payload,
        pushed: proto.pushed.map(pushed).transpose()?,
    })
}

fn pushed(proto: proto::Pushed) -> Result<Pushed, InvalidEvent> {
    let partition = u16::try_from(proto.partition)
        .map_err(|_| InvalidEvent::new("pushed.partition", format!("{} is not below 65536", proto.partition)))?;
    Ok(Pushed {
        log_id: LogId::from_slice(&proto.log_id)?,
        log_epoch: LogEpoch(proto.log_epoch),
        partition: Partition(partition),
        offset: Offset(proto.offset),
        append_time: Micros(proto.append_time_us),
        after_hole: proto.after_hole,
    })
}

fn writer_range(proto: proto::WriterRange) -> Result<WriterRange, InvalidEvent> {
    if proto.first_seq == 0 || proto.last_seq < proto.first_seq || proto.last_seq == u64::MAX {
        let reason = format!("[{}, {}] is not a range from 1 to 2^64-2", proto.first_seq, proto.last_seq);
        return Err(InvalidEvent::new("writer.first_seq", reason));
    }
    Ok(WriterRange {
        writer: WriterId::from_slice(&proto.writer_id)?,
        epoch: proto.epoch,
        first: proto.first_seq,
        last: proto.last_seq,
    })
}
