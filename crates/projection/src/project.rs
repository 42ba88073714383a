//! The organization's stream: who holds a project's name; and the projects' aggregates of one log partition.

use std::collections::BTreeMap;

use bytes::Bytes;
use corral_domain::limits::OUTCOME_KEEP_US;
use corral_domain::{CommandId, Envelope, LogEpoch, Micros, Offset, Outcome, StreamKey};
use corral_read_store::layout::Row;
use corral_read_store::project::{self, ProjectNameRow, ProjectRow};
use corral_read_store::state::{self, NameRow, OutcomeRow, StreamStateRow};
use corral_read_store::{Key, Range, ReadStore, Table, outcome};

use crate::load::rows;
use crate::policy::{Halt, Refused, Verdict};
use crate::run::Rowset;

pub(crate) struct Organization {
    pub(crate) stream: StreamKey,
    pub(crate) head: StreamStateRow,
    names: BTreeMap<String, NameRow>,
    /// Kept for seven days of append time.
    outcomes: BTreeMap<CommandId, (Micros, Offset)>,
    by_time: BTreeMap<(Micros, Offset), CommandId>,
    moved: BTreeMap<Key, Option<Bytes>>,
}

pub(crate) async fn load(store: &dyn ReadStore, stream: &StreamKey, epoch: LogEpoch) -> Result<Organization, Halt> {
    let mut loaded = Organization {
        stream: stream.clone(),
        head: StreamStateRow { log_epoch: epoch, ..StreamStateRow::default() },
        names: BTreeMap::new(),
        outcomes: BTreeMap::new(),
        by_time: BTreeMap::new(),
        moved: BTreeMap::new(),
    };
    let state = rows(store, Table::State, &stream.to_bytes(), Range::default()).await?;
    let head = state.iter().find(|(key, _)| key.as_ref() == state::HEAD_PREFIX);
    let Some(head) = head.map(|(_, value)| StreamStateRow::decode(value)).transpose()? else { return Ok(loaded) };
    // State of another epoch is never used.
    if head.log_epoch != epoch {
        return Ok(loaded);
    }
    loaded.head = head;
    for (key, value) in state {
        match key.first() {
            Some(b'n') => {
                let name = String::from_utf8_lossy(&key[1..]).into_owned();
                loaded.names.insert(name, NameRow::decode(&value)?);
            }
            Some(b'o') => {
                if let Ok(command) = CommandId::from_slice(&key[1..]) {
                    let row = OutcomeRow::decode(&value)?;
                    loaded.outcomes.insert(command, (row.append_time, row.offset));
                    loaded.by_time.insert((row.append_time, row.offset), command);
                }
            }
            _ => {}
        }
    }
    Ok(loaded)
}

impl Organization {
    pub(crate) fn apply(&mut self, envelope: &Envelope, offset: Offset, stamp: Micros, out: &mut Rowset) -> Verdict {
        if offset < self.head.applied_through {
            return Verdict::Skipped;
        }
        let claim = match corral_event_codec::decode_project_name_claimed(&envelope.payload) {
            Ok(claim) => claim,
            Err(error) => return Verdict::DeadLetter(Refused::unreadable(error.to_string())),
        };
        let Some(command) = envelope.command_id else {
            return Verdict::DeadLetter(Refused::content("command_id: is missing"));
        };
        if self.outcomes.contains_key(&command) {
            return Verdict::Skipped;
        }
        let now = Micros(stamp.0.max(self.head.append_time.0.saturating_add(1)));
        let organization = self.stream.organization;
        let holder = self.names.get(&claim.name).map(|row| row.project);
        if holder.is_none() {
            let name = NameRow { project: claim.project, offset };
            self.moved.insert(state::name_key(&self.stream, &claim.name), Some(name.encode()));
            self.names.insert(claim.name.clone(), name);
            let row = ProjectNameRow { project: claim.project };
            out.push((project::name_key(organization, &claim.name), Some(row.encode())));
            let row = ProjectRow { name: claim.name, created: now, actor: envelope.actor.as_str().to_owned() };
            out.push((project::key(organization, claim.project), Some(row.encode())));
        }
        let won = holder.is_none_or(|holder| holder == claim.project);
        let decided = Outcome::ProjectName { project: holder.unwrap_or(claim.project), won };
        let row = outcome::to_row(&decided, offset, now);
        self.forget(now);
        self.moved.insert(state::outcome_key(&self.stream, command), Some(row.encode()));
        self.outcomes.insert(command, (now, offset));
        self.by_time.insert((now, offset), command);
        (self.head.applied_through, self.head.append_time) = (offset.next(), now);
        Verdict::Applied
    }

    /// Outcomes older than they are kept leave with the next one that comes: a function of the log.
    fn forget(&mut self, now: Micros) {
        let old = Micros(now.0.saturating_sub(OUTCOME_KEEP_US));
        while let Some(first) = self.by_time.first_entry().filter(|first| first.key().0 < old) {
            let command = first.remove();
            self.outcomes.remove(&command);
            self.moved.insert(state::outcome_key(&self.stream, command), None);
        }
    }

    /// The rows of the state that moved since the last commit.
    pub(crate) fn take_moved(&mut self) -> Vec<(Key, Option<Bytes>)> {
        let mut rows = vec![(state::head_key(&self.stream), Some(self.head.encode()))];
        rows.extend(std::mem::take(&mut self.moved));
        rows
    }

    /// About how much memory the state takes.
    pub(crate) fn weight_bytes(&self) -> usize {
        1_024 + self.names.len() * 256 + self.outcomes.len() * 256
    }
}
