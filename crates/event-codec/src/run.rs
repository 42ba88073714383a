//! A run's items.

use corral_domain::limits::{
    LABEL_BYTES_MAX, NAME_BYTES_MAX, NOTES_BYTES_MAX, RUN_METRICS_MAX, TAG_BYTES_MAX, TAGS_COUNT_MAX,
};
use corral_domain::run::{
    FinishState, GapAccepted, GapReason, ObjectLogged, Resume, RunAttributesChanged, RunFinished, RunOpened,
};
use corral_domain::{CommandId, ProjectId, RunEntry};

use crate::{InvalidEvent, metric, point, proto, scalar};
use proto::run_entry::Entry;

pub(crate) fn to_proto(entry: &RunEntry) -> proto::RunEntry {
    let entry = match entry {
        RunEntry::Points(group) => Entry::Points(point::to_proto(group)),
        RunEntry::Object(object) => Entry::Object(proto::ObjectLogged {
            metric_id: object.metric,
            step: object.step,
            time_us: object.time_us,
            media_type: object.media_type.clone(),
            body: object.body.clone(),
        }),
        RunEntry::Opened(opened) => Entry::Opened(opened_to_proto(opened)),
        RunEntry::Finished(finished) => Entry::Finished(proto::RunFinished {
            state: finished.state as i32,
            exit_code: finished.exit_code,
            message: finished.message.clone(),
            last_seq: finished.last_seq,
        }),
        RunEntry::ConfigChanged(entries) => Entry::ConfigChanged(scalar::config_to_proto(entries)),
        RunEntry::SummaryChanged(entries) => Entry::SummaryChanged(scalar::summary_to_proto(entries)),
        RunEntry::AttributesChanged(change) => Entry::AttributesChanged(proto::RunAttributesChanged {
            name: change.name.clone(),
            notes: change.notes.clone(),
            tags: change.tags.clone().map(|tags| proto::Tags { tags }),
        }),
        RunEntry::MetricRegistered(metric) => Entry::MetricRegistered(metric::registered_to_proto(metric)),
        RunEntry::MetricDefined(def) => Entry::MetricDefined(metric::defined_to_proto(def)),
        RunEntry::Gap(gap) => Entry::Gap(proto::GapAccepted {
            from_seq: gap.from,
            to_seq: gap.to,
            why: gap.why as i32,
            detail: gap.detail.clone(),
        }),
    };
    proto::RunEntry { entry: Some(entry) }
}

pub(crate) fn from_proto(proto: proto::RunEntry) -> Result<RunEntry, InvalidEvent> {
    Ok(match proto.entry.ok_or_else(|| InvalidEvent::new("entry", "is missing or of an unknown kind"))? {
        Entry::Points(group) => RunEntry::Points(point::from_proto(group)?),
        Entry::Object(object) => RunEntry::Object(object_from_proto(object)?),
        Entry::Opened(opened) => RunEntry::Opened(Box::new(opened_from_proto(opened)?)),
        Entry::Finished(finished) => RunEntry::Finished(finished_from_proto(finished)?),
        Entry::ConfigChanged(config) => RunEntry::ConfigChanged(scalar::config_from_proto(config)?),
        Entry::SummaryChanged(summary) => RunEntry::SummaryChanged(scalar::summary_from_proto(summary)?),
        Entry::AttributesChanged(change) => RunEntry::AttributesChanged(attributes_from_proto(change)?),
        Entry::MetricRegistered(metric) => RunEntry::MetricRegistered(metric::registered_from_proto(metric)?),
        Entry::MetricDefined(def) => RunEntry::MetricDefined(metric::defined_from_proto(def)?),
        Entry::Gap(gap) => RunEntry::Gap(gap_from_proto(gap)?),
    })
}

/// A name that people gave: 1 to 512 bytes without control characters, otherwise kept as it is.
pub(crate) fn name(field: &'static str, text: &str) -> Result<(), InvalidEvent> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return Err(InvalidEvent::new(field, format!("must be 1 to {NAME_BYTES_MAX} bytes, has {}", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidEvent::new(field, "has a control character"));
    }
    Ok(())
}

fn at_most(field: &'static str, text: &str, bytes_max: usize) -> Result<(), InvalidEvent> {
    match text.len() > bytes_max {
        true => Err(InvalidEvent::new(field, format!("must be at most {bytes_max} bytes, has {}", text.len()))),
        false => Ok(()),
    }
}

fn tags(tags: &[String]) -> Result<(), InvalidEvent> {
    if tags.len() > TAGS_COUNT_MAX {
        return Err(InvalidEvent::new("tags", format!("must be at most {TAGS_COUNT_MAX}, are {}", tags.len())));
    }
    tags.iter().try_for_each(|tag| at_most("tags", tag, TAG_BYTES_MAX))
}

fn opened_to_proto(opened: &RunOpened) -> proto::RunOpened {
    proto::RunOpened {
        command_id: opened.command_id.as_bytes().to_vec().into(),
        project_name: opened.project_name.clone(),
        project_id: opened.project.map(|id| id.as_bytes().to_vec().into()).unwrap_or_default(),
        resume: opened.resume as i32,
        launch_id: opened.launch_id.clone(),
        label: opened.label.clone(),
        name: opened.name.clone(),
        notes: opened.notes.clone(),
        tags: opened.tags.clone(),
        group: opened.group.clone(),
        job_type: opened.job_type.clone(),
    }
}

fn opened_from_proto(proto: proto::RunOpened) -> Result<RunOpened, InvalidEvent> {
    name("opened.project_name", &proto.project_name)?;
    tags(&proto.tags)?;
    at_most("opened.launch_id", &proto.launch_id, NAME_BYTES_MAX)?;
    at_most("opened.label", &proto.label, LABEL_BYTES_MAX)?;
    at_most("opened.name", &proto.name, NAME_BYTES_MAX)?;
    at_most("opened.notes", &proto.notes, NOTES_BYTES_MAX)?;
    at_most("opened.group", &proto.group, NAME_BYTES_MAX)?;
    at_most("opened.job_type", &proto.job_type, NAME_BYTES_MAX)?;
    let resume = match proto::Resume::try_from(proto.resume) {
        Ok(proto::Resume::Unspecified) => Resume::Unspecified,
        Ok(proto::Resume::Allow) => Resume::Allow,
        Ok(proto::Resume::Must) => Resume::Must,
        Ok(proto::Resume::Never) => Resume::Never,
        Err(_) => return Err(InvalidEvent::new("opened.resume", format!("{} is not known", proto.resume))),
    };
    Ok(RunOpened {
        command_id: CommandId::from_slice(&proto.command_id)?,
        project_name: proto.project_name,
        project: match proto.project_id.len() {
            0 => None,
            _ => Some(ProjectId::from_slice(&proto.project_id)?),
        },
        resume,
        launch_id: proto.launch_id,
        label: proto.label,
        name: proto.name,
        notes: proto.notes,
        tags: proto.tags,
        group: proto.group,
        job_type: proto.job_type,
    })
}

fn attributes_from_proto(proto: proto::RunAttributesChanged) -> Result<RunAttributesChanged, InvalidEvent> {
    let change = RunAttributesChanged { name: proto.name, notes: proto.notes, tags: proto.tags.map(|tags| tags.tags) };
    change.name.as_deref().map_or(Ok(()), |text| at_most("attributes.name", text, NAME_BYTES_MAX))?;
    change.notes.as_deref().map_or(Ok(()), |text| at_most("attributes.notes", text, NOTES_BYTES_MAX))?;
    change.tags.as_deref().map_or(Ok(()), tags)?;
    Ok(change)
}

fn finished_from_proto(proto: proto::RunFinished) -> Result<RunFinished, InvalidEvent> {
    at_most("finished.message", &proto.message, NOTES_BYTES_MAX)?;
    let state = match proto::FinishState::try_from(proto.state) {
        Ok(proto::FinishState::Finished) => FinishState::Finished,
        Ok(proto::FinishState::Failed) => FinishState::Failed,
        _ => return Err(InvalidEvent::new("finished.state", format!("{} is not known", proto.state))),
    };
    Ok(RunFinished { state, exit_code: proto.exit_code, message: proto.message, last_seq: proto.last_seq })
}

fn object_from_proto(proto: proto::ObjectLogged) -> Result<ObjectLogged, InvalidEvent> {
    at_most("object.media_type", &proto.media_type, TAG_BYTES_MAX)?;
    if proto.metric_id >= RUN_METRICS_MAX {
        return Err(InvalidEvent::new(
            "object.metric_id",
            format!("{} is not below {RUN_METRICS_MAX}", proto.metric_id),
        ));
    }
    Ok(ObjectLogged {
        metric: proto.metric_id,
        step: proto.step,
        time_us: proto.time_us,
        media_type: proto.media_type,
        body: proto.body,
    })
}

fn gap_from_proto(proto: proto::GapAccepted) -> Result<GapAccepted, InvalidEvent> {
    if proto.from_seq == 0 || proto.to_seq < proto.from_seq || proto.to_seq == u64::MAX {
        let reason = format!("[{}, {}] is not a range from 1 to 2^64-2", proto.from_seq, proto.to_seq);
        return Err(InvalidEvent::new("gap.from_seq", reason));
    }
    at_most("gap.detail", &proto.detail, NAME_BYTES_MAX)?;
    let why = match proto::GapReason::try_from(proto.why) {
        Ok(proto::GapReason::SpoolFull) => GapReason::SpoolFull,
        Ok(proto::GapReason::Refused) => GapReason::Refused,
        Ok(proto::GapReason::Damaged) => GapReason::Damaged,
        _ => return Err(InvalidEvent::new("gap.why", format!("{} is not known", proto.why))),
    };
    Ok(GapAccepted { from: proto.from_seq, to: proto.to_seq, why, detail: proto.detail })
}
