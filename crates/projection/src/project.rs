//! The organization's stream: who holds a project's name; and the projects' aggregates of one log partition.

use std::collections::BTreeMap;

use bytes::Bytes;
use corral_domain::{CommandId, Envelope, LogEpoch, Micros, Offset, Outcome, StreamKey};
use corral_read_store::layout::Row;
use corral_read_store::project::{self, ProjectNameRow, ProjectRow};
use corral_read_store::state::{self, NameRow, OutcomeRow, StreamStateRow};
use corral_read_store::{Key, ReadStore, Table, outcome};

use crate::load::rows;
use crate::policy::{Halt, Refused, Verdict};
use crate::run::Rowset;

pub(crate) struct Organization {
    pub(crate) stream: StreamKey,
    pub(crate) head: StreamStateRow,
    names: BTreeMap<String, NameRow>,
    outcomes: BTreeMap<CommandId, OutcomeRow>,
    pub(crate) moved: BTreeMap<Key, Bytes>,
}

pub(crate) async fn load(store: &dyn ReadStore, stream: &StreamKey, epoch: LogEpoch) -> Result<Organization, Halt> {
    let mut loaded = Organization {
        stream: stream.clone(),
        head: StreamStateRow { log_epoch: epoch, ..StreamStateRow::default() },
        names: BTreeMap::new(),
        outcomes: BTreeMap::new(),
        moved: BTreeMap::new(),
    };
    for (key, value) in rows(store, Table::State, &stream.to_bytes(), Bytes::new()).await? {
        match key.first() {
            Some(b'h') => loaded.head = StreamStateRow::decode(&value)?,
            Some(b'n') => {
                let name = String::from_utf8_lossy(&key[1..]).into_owned();
                loaded.names.insert(name, NameRow::decode(&value)?);
            }
            Some(b'o') => {
                if let Ok(command) = CommandId::from_slice(&key[1..]) {
                    loaded.outcomes.insert(command, OutcomeRow::decode(&value)?);
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
            self.moved.insert(state::name_key(&self.stream, &claim.name), name.encode());
            self.names.insert(claim.name.clone(), name);
            let row = ProjectNameRow { project: claim.project };
            out.push((project::name_key(organization, &claim.name), Some(row.encode())));
            let row = ProjectRow { name: claim.name, created: now, actor: envelope.actor.as_str().to_owned() };
            out.push((project::key(organization, claim.project), Some(row.encode())));
        }
        let decided = Outcome::ProjectName { project: holder.unwrap_or(claim.project), won: holder.is_none() };
        let row = outcome::to_row(&decided, offset, now);
        self.moved.insert(state::outcome_key(&self.stream, command), row.encode());
        self.outcomes.insert(command, row);
        (self.head.applied_through, self.head.append_time) = (offset.next(), now);
        Verdict::Applied
    }
}
