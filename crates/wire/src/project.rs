//! Projects.

use corral_query::{Project, ProjectsAnswer, ProjectsQuery};

use crate::error::ApiError;
use crate::freshness::{freshness_from_proto, meta_to_proto};
use crate::proto;

pub fn projects_from_proto(request: proto::ListProjectsRequest) -> Result<ProjectsQuery, ApiError> {
    Ok(ProjectsQuery {
        freshness: freshness_from_proto(request.freshness)?,
        page_size: request.page_size,
        page_token: request.page_token,
    })
}

pub fn projects_to_proto(answer: ProjectsAnswer) -> proto::ListProjectsResponse {
    proto::ListProjectsResponse {
        projects: answer.projects.into_iter().map(project_to_proto).collect(),
        next_page_token: answer.next_page_token,
        meta: Some(meta_to_proto(&answer.meta)),
    }
}

fn project_to_proto(project: Project) -> proto::Project {
    proto::Project {
        id: project.id.to_string(),
        name: project.name,
        created_us: project.created.0,
        actor: project.actor,
        runs: project.runs,
        last_active_us: project.last_active.0,
    }
}
