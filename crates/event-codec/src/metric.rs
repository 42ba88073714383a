//! Metrics: registered ids and definitions.

use corral_domain::limits::RUN_METRICS_MAX;
use corral_domain::metric::{Goal, MetricDef, MetricRegistered, SummaryRule};

use crate::run::name;
use crate::{InvalidEvent, proto};

pub(crate) fn registered_to_proto(metric: &MetricRegistered) -> proto::MetricRegistered {
    proto::MetricRegistered { metric_id: metric.id, name: metric.name.clone() }
}

pub(crate) fn registered_from_proto(proto: proto::MetricRegistered) -> Result<MetricRegistered, InvalidEvent> {
    name("metric.name", &proto.name)?;
    if proto.metric_id >= RUN_METRICS_MAX {
        return Err(InvalidEvent::new(
            "metric.metric_id",
            format!("{} is not below {RUN_METRICS_MAX}", proto.metric_id),
        ));
    }
    Ok(MetricRegistered { id: proto.metric_id, name: proto.name })
}

pub(crate) fn defined_to_proto(def: &MetricDef) -> proto::MetricDefined {
    proto::MetricDefined {
        name: def.name.clone(),
        step_metric: def.step_metric.clone(),
        goal: def.goal as i32,
        summary: def.summary as i32,
    }
}

pub(crate) fn defined_from_proto(proto: proto::MetricDefined) -> Result<MetricDef, InvalidEvent> {
    name("metric.name", &proto.name)?;
    if !proto.step_metric.is_empty() {
        name("metric.step_metric", &proto.step_metric)?;
    }
    let goal = match proto::Goal::try_from(proto.goal) {
        Ok(proto::Goal::Unspecified) => Goal::Unspecified,
        Ok(proto::Goal::Minimize) => Goal::Minimize,
        Ok(proto::Goal::Maximize) => Goal::Maximize,
        Err(_) => return Err(InvalidEvent::new("metric.goal", format!("{} is not known", proto.goal))),
    };
    let summary = match proto::SummaryRule::try_from(proto.summary) {
        Ok(proto::SummaryRule::Unspecified) => SummaryRule::Last,
        Ok(proto::SummaryRule::Min) => SummaryRule::Min,
        Ok(proto::SummaryRule::Max) => SummaryRule::Max,
        Ok(proto::SummaryRule::Mean) => SummaryRule::Mean,
        Ok(proto::SummaryRule::Best) => SummaryRule::Best,
        Ok(proto::SummaryRule::None) => SummaryRule::None,
        Err(_) => return Err(InvalidEvent::new("metric.summary", format!("{} is not known", proto.summary))),
    };
    Ok(MetricDef { name: proto.name, step_metric: proto.step_metric, goal, summary })
}
