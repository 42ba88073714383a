//! The organization's projects by name, and what a request may call a project.

use corral_domain::{Micros, OrganizationId, ProjectId};
use corral_read_store::layout::KeyBytes;
use corral_read_store::project::{self, ProjectNameRow, ProjectRow, ProjectStatRow};
use corral_read_store::{Range, Row, Table};

use crate::answer::{Project, ProjectsAnswer};
use crate::engine::{Inner, page_size};
use crate::freshness::refuse_as_of;
use crate::token::{self, Question};
use crate::{ProjectsQuery, QueryError};

impl Inner {
    pub(crate) async fn projects(
        &self,
        organization: OrganizationId,
        query: &ProjectsQuery,
    ) -> Result<ProjectsAnswer, QueryError> {
        refuse_as_of(&query.freshness)?;
        let size = page_size(query.page_size)?;
        let question = Question::new("projects").with(organization.as_bytes());
        // (name, id) of the last one answered.
        let after: Option<(String, ProjectId)> = token::decode(question, &query.page_token)?;
        let cut = self.cut(&query.freshness, &self.every_partition()).await?;
        let rows = self.scan_all(Table::Project, &project::partition(organization), Range::default()).await?;
        let mut named: Vec<(String, ProjectId, ProjectRow)> = Vec::with_capacity(rows.len());
        for (clustering, value) in rows {
            let id = ProjectId::from_slice(&clustering);
            let id = id.map_err(|error| QueryError::Damaged(format!("a project's key: {error}")))?;
            let row = ProjectRow::decode(&value)?;
            named.push((row.name.clone(), id, row));
        }
        named.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let from = after.map_or(0, |after| named.partition_point(|(name, id, _)| (name, *id) <= (&after.0, after.1)));
        let page = &named[from..named.len().min(from + size)];
        let mut answer = ProjectsAnswer { meta: cut.meta(None), ..ProjectsAnswer::default() };
        for (name, id, row) in page {
            let (runs, last_active) = self.project_stat(organization, *id).await?;
            answer.projects.push(Project {
                id: *id,
                name: name.clone(),
                created: row.created,
                actor: row.actor.clone(),
                runs,
                last_active: last_active.max(row.created),
            });
        }
        if from + page.len() < named.len()
            && let Some((name, id, _)) = page.last()
        {
            answer.next_page_token = token::encode(question, &(name.clone(), *id));
        }
        Ok(answer)
    }

    /// (runs, last active): every log partition has a row; they are added up here.
    async fn project_stat(
        &self,
        organization: OrganizationId,
        project: ProjectId,
    ) -> Result<(u64, Micros), QueryError> {
        let partition = project::stat_partition(organization, project);
        let mut sum = (0_u64, Micros(0));
        for (_, value) in self.scan_all(Table::ProjectStat, &partition, Range::default()).await? {
            let row = ProjectStatRow::decode(&value)?;
            sum = (sum.0.saturating_add(row.runs), sum.1.max(row.last_active));
        }
        Ok(sum)
    }

    /// A project by its name or, failing that, its id. A project whose row is not visible yet exists if runs name it.
    pub(crate) async fn project_named(
        &self,
        organization: OrganizationId,
        asked: &str,
    ) -> Result<ProjectId, QueryError> {
        let none = || QueryError::NotFound { what: "project", id: asked.to_owned() };
        if asked.is_empty() || asked.len() > corral_domain::limits::NAME_BYTES_MAX {
            return Err(QueryError::invalid("project", "must be a project's name or id"));
        }
        if let Some(row) = self.row::<ProjectNameRow>(&project::name_key(organization, asked)).await? {
            return Ok(row.project);
        }
        let id: ProjectId = asked.parse().map_err(|_| none())?;
        if self.store.get(&project::key(organization, id)).await?.is_some() {
            return Ok(id);
        }
        // Its runs may be of a partition that is further than the organization's.
        let partition = project::stat_partition(organization, id);
        let range = Range { from: KeyBytes::new().build(), ..Range::all(1) };
        let stats = self.store.scan(Table::ProjectStat, &partition, range).await?;
        if stats.is_empty() { Err(none()) } else { Ok(id) }
    }
}
