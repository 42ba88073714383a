//! The run table: a project's runs, sorted, in pages.
//!
//! Heads are loaded once per project and kept fresh by the hub: each nudge of a run reads its head again, and a table
//! that may have missed one (lagged, or the checkpoint lies above what the hub told) is loaded again. Nothing here is
//! ever older than the checkpoints that the answer names.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corral_domain::{Micros, Offset, OrganizationId, Partition, ProjectId, RunId};
use corral_hub::{Heard, Message, Subscriber};
use corral_read_store::run::{self, HEAD_PARTITIONS, RunConfigRow, RunHeadRow};
use corral_read_store::{Range, Row, Table};

use crate::answer::RunsAnswer;
use crate::ask::{OrderBy, RunField, RunOrder};
use crate::cache::Cache;
use crate::engine::{Inner, page_size};
use crate::freshness::{Cut, refuse_as_of};
use crate::order::SortKey;
use crate::run::run_of_head;
use crate::token::{self, Question};
use crate::{QueryError, RunsQuery};

mod cursor;

use cursor::{Cursor, Cursors};

/// Heads of all loaded projects (about 1 KB each).
const HEADS_COUNT_MAX: usize = 500_000;
/// A table that nobody asked for so long is forgotten.
const IDLE_SECONDS_MAX: u64 = 600;
/// How long the hub may be behind the checkpoint before the table is loaded again.
const BEHIND_WAIT_MS_MAX: u64 = 25;
/// Leaves of a config that a head has room for: a head with fewer shows them all.
const HEAD_CONFIG_LEAVES: usize = 100;

type Shared = Arc<tokio::sync::Mutex<RunTable>>;
type Heads = BTreeMap<RunId, Arc<RunHeadRow>>;
type TableKey = (OrganizationId, ProjectId);

pub(crate) struct Tables {
    tables: Mutex<Cache<TableKey, (Shared, Duration)>>,
    cursors: Cursors,
}

/// A project's heads.
struct RunTable {
    hub: Subscriber,
    heads: Arc<Heads>,
    /// Everything below is in `heads`.
    fresh: BTreeMap<Partition, Offset>,
    loaded: bool,
}

/// Where a list goes on: the cursor and the place in it; the last run's key and id in case the cursor is gone.
type Place = ((u64, u64), (SortKey, String));

impl Tables {
    pub(crate) fn new() -> Self {
        Self { tables: Mutex::new(Cache::new(HEADS_COUNT_MAX)), cursors: Cursors::new() }
    }

    pub(crate) fn forget(&self) {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, _| false);
    }

    /// Forgets tables that nobody has asked for.
    pub(crate) fn evict_idle(&self, now: Duration) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.retain(|_, (_, used)| now.saturating_sub(*used) < Duration::from_secs(IDLE_SECONDS_MAX));
    }
}

impl Inner {
    pub(crate) async fn runs(&self, organization: OrganizationId, query: &RunsQuery) -> Result<RunsAnswer, QueryError> {
        refuse_as_of(&query.freshness)?;
        let size = page_size(query.page_size)?;
        let order = query.order.clone().unwrap_or_default();
        let cut = self.cut(&query.freshness, &self.every_partition()).await?;
        let project = self.project_named(organization, &query.project).await?;
        let question = question(organization, project, &order);
        let place: Option<Place> = token::decode(question, &query.page_token)?;
        let heads = self.heads(organization, project, &cut).await?;
        let now = self.clock.now();
        let mut answer = RunsAnswer { total: heads.len() as u64, meta: cut.meta(None), ..RunsAnswer::default() };
        let cursor = match &place {
            Some(((id, at), (_, last))) => self.tables.cursors.at((*id, *at), question, last),
            None => None,
        };
        let (cursor, from) = match cursor {
            Some((cursor, at)) => (cursor, at),
            None => {
                let ids = self.sorted(organization, &heads, &order, place.as_ref()).await?;
                (Arc::new(Cursor { question, ids }), 0)
            }
        };
        let page = &cursor.ids[from..cursor.ids.len().min(from + size)];
        answer.runs.extend(page.iter().filter_map(|id| Some(run_of_head(id, heads.get(id)?, now))));
        if from + page.len() < cursor.ids.len()
            && let Some(last) = page.last()
            && let Some(head) = heads.get(last)
        {
            let key = self.sort_key(organization, last, head, &order.by).await?;
            let id = place.map(|((id, _), _)| id).unwrap_or_default();
            let id = self.tables.cursors.keep(id, &cursor, now);
            let at = (from + page.len()) as u64;
            answer.next_page_token = token::encode(question, &((id, at), (key, last.to_string())));
        }
        Ok(answer)
    }

    /// Every run behind `place`, in order.
    async fn sorted(
        &self,
        organization: OrganizationId,
        heads: &Heads,
        order: &RunOrder,
        place: Option<&Place>,
    ) -> Result<Vec<RunId>, QueryError> {
        let mut keys: Vec<(SortKey, &RunId)> = Vec::with_capacity(heads.len());
        for (id, head) in heads {
            keys.push((self.sort_key(organization, id, head, &order.by).await?, id));
        }
        let compare = |a: &(SortKey, &RunId), key: &SortKey, id: &str| {
            a.0.compare(key, order.descending).then_with(|| a.1.as_str().cmp(id))
        };
        if let Some((_, (key, id))) = place {
            keys.retain(|entry| compare(entry, key, id).is_gt());
        }
        keys.sort_unstable_by(|a, b| compare(a, &b.0, b.1.as_str()));
        Ok(keys.into_iter().map(|(_, id)| id.clone()).collect())
    }

    async fn sort_key(
        &self,
        organization: OrganizationId,
        id: &RunId,
        head: &RunHeadRow,
        by: &OrderBy,
    ) -> Result<SortKey, QueryError> {
        let key = SortKey::of_head(head, by, self.clock.now());
        if let OrderBy::Config(path) = by
            && key == SortKey::Missing
            && head.config.len() >= HEAD_CONFIG_LEAVES
        {
            // The head has no room for it.
            let config: RunConfigRow = self.row(&run::config_key(organization, id, 0)).await?.unwrap_or_default();
            let found = config.entries.iter().find(|(parts, _)| parts.join(".") == *path);
            return Ok(found.map_or(SortKey::Missing, |(_, json)| SortKey::of_json(json)));
        }
        Ok(key)
    }

    /// A project's heads, as fresh as the cut says.
    async fn heads(
        &self,
        organization: OrganizationId,
        project: ProjectId,
        cut: &Cut,
    ) -> Result<Arc<Heads>, QueryError> {
        let key = (organization, project);
        let now = self.clock.monotonic();
        let shared = {
            let mut tables = self.tables.tables.lock().unwrap_or_else(PoisonError::into_inner);
            match tables.get(&key).map(|(table, _)| table.clone()) {
                Some(table) => table,
                None => {
                    let hub = self.hub.subscribe();
                    let table = RunTable { hub, heads: Arc::default(), fresh: BTreeMap::new(), loaded: false };
                    Arc::new(tokio::sync::Mutex::new(table))
                }
            }
        };
        let mut table = shared.lock().await;
        self.refresh(key, &mut table, cut).await?;
        let heads = table.heads.clone();
        let mut tables = self.tables.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.put(key, (shared.clone(), now), heads.len() + 1);
        Ok(heads)
    }

    async fn refresh(&self, key: TableKey, table: &mut RunTable, cut: &Cut) -> Result<(), QueryError> {
        if !table.loaded {
            return self.load(key, table).await;
        }
        // Dropped in the middle it may have missed something.
        table.loaded = false;
        let caught_up = self.catch_up(key, table, cut);
        if let Ok(caught_up) = tokio::time::timeout(Duration::from_millis(BEHIND_WAIT_MS_MAX), caught_up).await {
            table.loaded = caught_up?;
        }
        if table.loaded { Ok(()) } else { self.load(key, table).await }
    }

    /// Reads again what the hub says has moved, until it has told everything below the cut; false if messages were lost.
    async fn catch_up(&self, key: TableKey, table: &mut RunTable, cut: &Cut) -> Result<bool, QueryError> {
        let mut next = table.hub.try_next();
        loop {
            let (mut moved, mut told) = (HashSet::new(), BTreeMap::new());
            while let Some(heard) = next {
                if !hear(heard, key.0, &mut moved, &mut told) {
                    return Ok(false);
                }
                next = table.hub.try_next();
            }
            for run in moved {
                self.reread(key, table, &run).await?;
            }
            for (partition, offset) in told {
                let fresh = table.fresh.entry(partition).or_default();
                *fresh = (*fresh).max(offset);
            }
            let fresh = |partition| table.fresh.get(partition).copied().unwrap_or_default();
            if cut.0.iter().all(|(partition, checkpoint)| fresh(partition) >= checkpoint.offset) {
                return Ok(true);
            }
            next = table.hub.next().await;
            if next.is_none() {
                return Ok(false);
            }
        }
    }

    async fn reread(&self, key: TableKey, table: &mut RunTable, run: &RunId) -> Result<(), QueryError> {
        if let Some(head) = self.row::<RunHeadRow>(&run::head_key(key.0, key.1, run)).await? {
            Arc::make_mut(&mut table.heads).insert(run.clone(), Arc::new(head));
        }
        Ok(())
    }

    async fn load(&self, (organization, project): TableKey, table: &mut RunTable) -> Result<(), QueryError> {
        table.loaded = false;
        // What comes from here on is heard; what was before is read.
        table.hub = self.hub.subscribe();
        let cut = self.checkpoints(&self.every_partition()).await?;
        let mut heads = Heads::new();
        for spread in 0..HEAD_PARTITIONS {
            let partition = run::head_partition(organization, project, spread);
            for (clustering, value) in self.scan_all(Table::RunHead, &partition, Range::default()).await? {
                let id = std::str::from_utf8(&clustering).ok().and_then(|id| id.parse().ok());
                let id: RunId = id.ok_or_else(|| QueryError::Damaged("a head's key is not a run's id".to_owned()))?;
                heads.insert(id, Arc::new(RunHeadRow::decode(&value)?));
            }
        }
        table.heads = Arc::new(heads);
        table.fresh = cut.position().0;
        table.loaded = true;
        Ok(())
    }
}

/// Notes what a message says; false if messages were lost.
fn hear(
    heard: Heard,
    organization: OrganizationId,
    moved: &mut HashSet<RunId>,
    told: &mut BTreeMap<Partition, Offset>,
) -> bool {
    match heard {
        Heard::Message(Message::Nudge(nudge)) => {
            if nudge.stream.organization == organization
                && let Ok(run) = nudge.stream.run_id()
            {
                moved.insert(run);
            }
            true
        }
        Heard::Message(Message::Checkpointed { partition, offset }) => {
            told.insert(partition, offset);
            true
        }
        Heard::Lagged => false,
    }
}

fn question(organization: OrganizationId, project: ProjectId, order: &RunOrder) -> Question {
    let question = Question::new("runs").with(organization.as_bytes()).with(project.as_bytes());
    let question = question.with_number(u8::from(order.descending));
    match &order.by {
        OrderBy::Field(field) => question.with_number(match field {
            RunField::Created => 1_u8,
            RunField::Name => 2,
            RunField::State => 3,
            RunField::LastActive => 4,
        }),
        OrderBy::Summary(key) => question.with(b"summary").with(key.as_bytes()),
        OrderBy::Config(path) => question.with(b"config").with(path.as_bytes()),
    }
}

/// When the next of these runs changes its derived state.
pub(crate) fn next_change(answer: &RunsAnswer) -> Option<Micros> {
    answer.runs.iter().filter_map(|run| crate::run::next_change(run.state, run.last_append)).min()
}

#[cfg(test)]
mod tests;
