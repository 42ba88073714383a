//! Config and summary values.

use corral_domain::limits::{CONFIG_DEPTH_MAX, CONFIG_PATHS_MAX};
use corral_domain::scalar::{ConfigEntry, Scalar};

use crate::{InvalidEvent, proto};

pub(crate) fn to_proto(scalar: &Scalar) -> proto::Scalar {
    use proto::scalar::Kind;
    let kind = match scalar {
        Scalar::Null => Kind::Null(true),
        Scalar::Bool(v) => Kind::Bool(*v),
        Scalar::I64(v) => Kind::I64(*v),
        Scalar::U64(v) => Kind::U64(*v),
        Scalar::F64(v) => Kind::F64(*v),
        Scalar::Text(v) => Kind::Text(v.clone()),
        Scalar::List(values) => Kind::List(proto::ScalarList { values: values.iter().map(to_proto).collect() }),
    };
    proto::Scalar { kind: Some(kind) }
}

pub(crate) fn from_proto(proto: proto::Scalar) -> Result<Scalar, InvalidEvent> {
    use proto::scalar::Kind;
    // Recursion is bounded by prost's own limit of 100 nested messages.
    Ok(match proto.kind.ok_or_else(|| InvalidEvent::new("value.kind", "is missing"))? {
        Kind::Null(_) => Scalar::Null,
        Kind::Bool(v) => Scalar::Bool(v),
        Kind::I64(v) => Scalar::I64(v),
        Kind::U64(v) => Scalar::U64(v),
        Kind::F64(v) => Scalar::F64(if v.is_nan() { f64::NAN } else { v }),
        Kind::Text(v) => Scalar::Text(v),
        Kind::List(list) => Scalar::List(list.values.into_iter().map(from_proto).collect::<Result<_, _>>()?),
    })
}

pub(crate) fn config_to_proto(entries: &[ConfigEntry]) -> proto::ConfigChanged {
    let entry = |e: &ConfigEntry| proto::ConfigEntry { path: e.path.clone(), value: e.value.as_ref().map(to_proto) };
    proto::ConfigChanged { entries: entries.iter().map(entry).collect() }
}

pub(crate) fn config_from_proto(proto: proto::ConfigChanged) -> Result<Vec<ConfigEntry>, InvalidEvent> {
    if proto.entries.len() > CONFIG_PATHS_MAX {
        return Err(InvalidEvent::new("config.entries", format!("has more than {CONFIG_PATHS_MAX} paths")));
    }
    proto.entries.into_iter().map(config_entry).collect()
}

fn config_entry(proto: proto::ConfigEntry) -> Result<ConfigEntry, InvalidEvent> {
    if proto.path.is_empty() || proto.path.len() > CONFIG_DEPTH_MAX {
        return Err(InvalidEvent::new("config.path", format!("must have 1 to {CONFIG_DEPTH_MAX} parts")));
    }
    for part in &proto.path {
        crate::run::name("config.path", part)?;
    }
    Ok(ConfigEntry { path: proto.path, value: proto.value.map(from_proto).transpose()? })
}

pub(crate) fn summary_to_proto(entries: &[(String, Option<Scalar>)]) -> proto::SummaryChanged {
    let entry = |(key, value): &(String, Option<Scalar>)| proto::SummaryEntry {
        key: key.clone(),
        value: value.as_ref().map(to_proto),
    };
    proto::SummaryChanged { entries: entries.iter().map(entry).collect() }
}

pub(crate) fn summary_from_proto(proto: proto::SummaryChanged) -> Result<Vec<(String, Option<Scalar>)>, InvalidEvent> {
    let entry = |e: proto::SummaryEntry| {
        crate::run::name("summary.key", &e.key)?;
        Ok((e.key, e.value.map(from_proto).transpose()?))
    };
    if proto.entries.len() > CONFIG_PATHS_MAX {
        return Err(InvalidEvent::new("summary.entries", format!("has more than {CONFIG_PATHS_MAX} keys")));
    }
    proto.entries.into_iter().map(entry).collect()
}
