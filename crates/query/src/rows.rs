//! Typed reads of the read store's rows.

use bytes::Bytes;
use corral_domain::{OrganizationId, RunId, StreamKey};
use corral_read_store::state::{self, RunInfoRow, RunStateRow};
use corral_read_store::{Key, Range, Row, Table};

use crate::QueryError;
use crate::engine::Inner;

/// Rows that one scan asks for; a longer answer is read in turns.
pub(crate) const SCAN_ROWS_MAX: usize = 1_024;

impl Inner {
    pub(crate) async fn row<R: Row>(&self, key: &Key) -> Result<Option<R>, QueryError> {
        Ok(match self.store.get(key).await? {
            Some(bytes) => Some(R::decode(&bytes)?),
            None => None,
        })
    }

    /// Every row of a range, however many there are.
    pub(crate) async fn scan_all(
        &self,
        table: Table,
        partition: &[u8],
        mut range: Range,
    ) -> Result<Vec<(Bytes, Bytes)>, QueryError> {
        range.limit = SCAN_ROWS_MAX;
        let mut rows = Vec::new();
        loop {
            let page = self.store.scan(table, partition, range.clone()).await?;
            let full = page.len() >= SCAN_ROWS_MAX;
            if let Some((last, _)) = page.last() {
                // The next key in order is the last one with a zero byte behind it.
                range.from = [last, &[0_u8][..]].concat().into();
            }
            rows.extend(page);
            if !full {
                return Ok(rows);
            }
        }
    }

    /// A run's state; `None` where there is none of this log epoch.
    pub(crate) async fn run_state(
        &self,
        organization: OrganizationId,
        run: &RunId,
    ) -> Result<Option<RunStateRow>, QueryError> {
        let key = state::head_key(&StreamKey::run(organization, run));
        let state: Option<RunStateRow> = self.row(&key).await?;
        Ok(state.filter(|state| state.log_epoch == self.options.log_epoch))
    }

    pub(crate) async fn run_info(
        &self,
        organization: OrganizationId,
        run: &RunId,
    ) -> Result<Option<RunInfoRow>, QueryError> {
        self.row(&state::info_key(&StreamKey::run(organization, run))).await
    }
}
