//! Events of the organization's stream.

use bytes::Bytes;
use corral_domain::ProjectId;
use corral_domain::project::ProjectNameClaimed;
use prost::Message;

use crate::run::name;
use crate::{InvalidEvent, proto};

pub fn encode_project_name_claimed(event: &ProjectNameClaimed) -> Bytes {
    let project_id = event.project.as_bytes().to_vec().into();
    proto::ProjectNameClaimed { name: event.name.clone(), project_id }.encode_to_vec().into()
}

pub fn decode_project_name_claimed(bytes: &Bytes) -> Result<ProjectNameClaimed, InvalidEvent> {
    let proto = proto::ProjectNameClaimed::decode(bytes.clone())
        .map_err(|error| InvalidEvent::new("payload", error.to_string()))?;
    name("project", &proto.name)?;
    Ok(ProjectNameClaimed { name: proto.name, project: ProjectId::from_slice(&proto.project_id)? })
}
