//! The pieces of a series that a state counts: final chunks and what waits in sets, as far as a window needs them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use corral_domain::{OrganizationId, RunId};
use corral_read_store::layout::KeyBytes;
use corral_read_store::piece::{self, Header};
use corral_read_store::series::{self, BlockRow, DirectoryRow};
use corral_read_store::state::RunStateRow;
use corral_read_store::{Range, Row, Table};

use crate::QueryError;
use crate::engine::Inner;

/// Where a piece stands among those of equal append time: (level at which it was made, chunk before set, number, place).
pub(crate) type Rank = (u8, u8, u32, u32);

/// One piece, not yet decoded.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) rank: Rank,
    pub(crate) header: Header,
    pub(crate) bytes: Bytes,
}

/// Figures of a series' chunks; grows with the state, since chunks are final.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChunkIndex {
    /// By level: chunks of seals or merges below this number are listed.
    next: Vec<u32>,
    chunks: Vec<(Rank, Header)>,
}

/// Chunks are large (about 16 KiB): few a scan.
const CHUNK_SCAN_ROWS_MAX: usize = 64;

fn rank_of_chunk(clustering: &[u8]) -> Result<Rank, QueryError> {
    let (level, number, i) =
        series::chunk_of(clustering).ok_or_else(|| QueryError::Damaged("a chunk's key is not one".to_owned()))?;
    Ok((level, 0, number, i))
}

impl Inner {
    /// The chunks of a series that `state` counts and that `wanted` takes by their figures.
    pub(crate) async fn chunks(
        &self,
        organization: OrganizationId,
        (run, series): (&RunId, u32),
        state: &RunStateRow,
        wanted: &(dyn Fn(&Header) -> bool + Sync),
    ) -> Result<Vec<Piece>, QueryError> {
        let key = (organization, run.clone(), series);
        let known = {
            let mut cache = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
            cache.get(&key).cloned().unwrap_or_default()
        };
        let partition = series::chunk_partition(organization, run, series);
        let mut pieces = Vec::new();
        let counted = |rank: &Rank| state.levels.get(rank.0 as usize).is_some_and(|level| rank.2 < level.next);
        for (rank, header) in known.chunks.iter().filter(|(rank, header)| counted(rank) && wanted(header)) {
            let (level, _, number, i) = *rank;
            let key = series::chunk_key(partition.clone(), level, number, i);
            let bytes = self.store.get(&key).await?;
            // A chunk is final: one that is gone was never there, so the store was changed under us.
            let bytes = bytes.ok_or_else(|| QueryError::Damaged("a chunk is gone".to_owned()))?;
            pieces.push(Piece { rank: *rank, header: *header, bytes });
        }
        let mut grown = ChunkIndex { next: known.next.clone(), chunks: Vec::new() };
        for (level, row) in state.levels.iter().enumerate() {
            let from = known.next.get(level).copied().unwrap_or_default();
            if from >= row.next {
                continue;
            }
            let key = |number: u32| KeyBytes::new().u8(level as u8).u32(number).build();
            let mut range = Range::between(key(from), key(row.next), CHUNK_SCAN_ROWS_MAX);
            loop {
                let rows = self.store.scan(Table::Chunk, &partition, range.clone()).await?;
                let full = rows.len() == CHUNK_SCAN_ROWS_MAX;
                for (clustering, bytes) in rows {
                    range.from = [&clustering, &[0_u8][..]].concat().into();
                    let (rank, header) = (rank_of_chunk(&clustering)?, piece::header(&bytes)?);
                    grown.chunks.push((rank, header));
                    if wanted(&header) {
                        pieces.push(Piece { rank, header, bytes });
                    }
                }
                if !full {
                    break;
                }
            }
            if grown.next.len() <= level {
                grown.next.resize(level + 1, 0);
            }
            grown.next[level] = row.next;
        }
        if grown.next != known.next {
            grown.chunks.extend_from_slice(&known.chunks);
            let weight = grown.chunks.len() + 1;
            let mut cache = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
            cache.put(key, Arc::new(grown), weight);
        }
        Ok(pieces)
    }

    /// The pieces of some series (sorted) in the sets that `state` names.
    pub(crate) async fn set_pieces(
        &self,
        organization: OrganizationId,
        run: &RunId,
        state: &RunStateRow,
        wanted: &[u32],
    ) -> Result<HashMap<u32, Vec<Piece>>, QueryError> {
        let mut found: HashMap<u32, Vec<Piece>> = HashMap::new();
        for (level, row) in state.levels.iter().enumerate() {
            for number in &row.sets {
                let set = (level as u8, *number);
                let places = self.places(organization, run, set, wanted).await?;
                let mut block: Option<(u32, BlockRow)> = None;
                for (series, at) in places {
                    if block.as_ref().is_none_or(|(open, _)| *open != at) {
                        let key = series::block_key(organization, run, set.0, set.1, at);
                        // A block that is gone was replaced meanwhile: the second look at the state tells.
                        let Some(row) = self.row(&key).await? else { continue };
                        block = Some((at, row));
                    }
                    let Some((_, row)) = &block else { continue };
                    let Ok(place) = row.pieces.binary_search_by_key(&series, |(series, _)| *series) else { continue };
                    let bytes = row.pieces[place].1.clone();
                    let header = piece::header(&bytes)?;
                    found.entry(series).or_default().push(Piece { rank: (set.0, 1, set.1, 0), header, bytes });
                }
            }
        }
        Ok(found)
    }

    /// Which blocks of a set hold pieces of the wanted series (sorted): (series, block).
    async fn places(
        &self,
        organization: OrganizationId,
        run: &RunId,
        (level, number): (u8, u32),
        wanted: &[u32],
    ) -> Result<Vec<(u32, u32)>, QueryError> {
        let partition = series::directory_partition(organization, run);
        let mut places = Vec::new();
        let mut open: Option<DirectoryRow> = None;
        for series in wanted {
            // Entries are sorted: a row that goes beyond the series, or is the last one, says all of it.
            let covers = |row: &DirectoryRow| row.last || row.entries.last().is_some_and(|last| last.series >= *series);
            if !open.as_ref().is_some_and(covers) {
                let to = [&series::directory_clustering(level, number, *series)[..], &[0]].concat();
                let from = series::directory_clustering(level, number, 0);
                let range = Range { from, to: Some(to.into()), limit: 1, reverse: true };
                let rows = self.store.scan(Table::SetDirectory, &partition, range).await?;
                open = match rows.first() {
                    Some((_, value)) => Some(DirectoryRow::decode(value)?),
                    None => None,
                };
            }
            let Some(row) = &open else { continue };
            if let Ok(at) = row.entries.binary_search_by_key(series, |entry| entry.series) {
                places.push((*series, row.entries[at].block));
            }
        }
        Ok(places)
    }
}
