//! A series' points in read order: by append time, equal times by the rank of their pieces.
//!
//! Pieces mostly follow each other and are passed on whole; where they interleave (a merge made one from what several
//! seals left) they are merged run by run, with only those that overlap decoded at a time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use corral_read_store::piece::{Decoder, Points, Wanted};

use super::{SeriesRead, View};
use crate::pieces::{Piece, Rank};
use crate::{QueryError, XAxis};

type Head = (i64, Rank);

impl SeriesRead {
    /// Shows the points of the view in read order. Columns of times and append times are empty unless `whole`, or the
    /// view needs them.
    pub(crate) fn for_each(&self, view: &View, whole: bool, mut visit: impl FnMut(&Points)) -> Result<(), QueryError> {
        let mut decoder = Decoder::default();
        let mut at = 0;
        while at < self.pieces.len() {
            let alone = follows_alone(&self.pieces, at);
            if alone {
                let piece = &self.pieces[at];
                let inside = view.contains(&piece.header);
                let wanted = Wanted {
                    times: whole || matches!(view.axis, XAxis::Time | XAxis::RelativeTime),
                    appended: whole || (!inside && view.as_of.is_some()),
                };
                let points = decoder.decode_some(&piece.bytes, wanted)?;
                visit(&if inside { points } else { in_view(points, view) });
                at += 1;
            } else {
                at = self.merge_from(at, view, &mut visit)?;
            }
        }
        if !self.tail.is_empty() {
            visit(&self.tail);
        }
        Ok(())
    }

    /// Merges pieces from `at` on until none is open; returns where to go on.
    fn merge_from(&self, mut at: usize, view: &View, visit: &mut impl FnMut(&Points)) -> Result<usize, QueryError> {
        // A memo of axes would not help here: pieces that overlap differ.
        let mut decoder = Decoder::default();
        let mut open: Vec<(Points, usize, Rank)> = Vec::new();
        let mut heads: BinaryHeap<Reverse<(Head, usize)>> = BinaryHeap::new();
        let mut out = Points::default();
        loop {
            // Every piece that begins before the first open head takes part.
            while let Some(piece) = self.pieces.get(at) {
                let head = (piece.header.min_appended, piece.rank);
                if heads.peek().is_some_and(|Reverse((first, _))| *first < head) {
                    break;
                }
                let points = decoder.decode(&piece.bytes)?;
                heads.push(Reverse((head, open.len())));
                open.push((points, 0, piece.rank));
                at += 1;
            }
            let Some(Reverse((_, one))) = heads.pop() else { break };
            let pending = self.pieces.get(at).map(|piece| (piece.header.min_appended, piece.rank));
            let limit = heads.peek().map(|Reverse((head, _))| *head).into_iter().chain(pending).min();
            let (points, from, rank) = &mut open[one];
            let run = *from..run_end(points, *from, *rank, limit);
            out.extend(points, run.clone());
            *from = run.end;
            if run.end < points.len() {
                heads.push(Reverse(((points.appended_us[run.end], *rank), one)));
            } else {
                *points = Points::default();
                if heads.is_empty() {
                    break;
                }
            }
            if out.len() >= RUN_POINTS {
                visit(&in_view(std::mem::take(&mut out), view));
            }
        }
        visit(&in_view(out, view));
        Ok(at)
    }
}

/// Merged points are passed on in runs of about so many.
const RUN_POINTS: usize = 4_096;

/// Whether the piece at `at` ends before the next begins.
fn follows_alone(pieces: &[Piece], at: usize) -> bool {
    let piece = &pieces[at];
    pieces
        .get(at + 1)
        .is_none_or(|next| (piece.header.max_appended, piece.rank) < (next.header.min_appended, next.rank))
}

/// The end of the rows from `from` on that come before `limit`; one row at least, so that every step goes on.
fn run_end(points: &Points, from: usize, rank: Rank, limit: Option<Head>) -> usize {
    let Some(limit) = limit else { return points.len() };
    let rest = &points.appended_us[from..];
    (from + rest.partition_point(|appended| (*appended, rank) < limit)).max(from + 1)
}

/// The points of the view. Columns that were not decoded stay empty.
pub(super) fn in_view(points: Points, view: &View) -> Points {
    let runs = rows_in_view(&points, view);
    if runs.len() == 1 && runs[0] == (0..points.len()) { points } else { rows_of(&points, runs) }
}

/// A copy of the points of the view.
pub(super) fn part_in_view(points: &Points, view: &View) -> Points {
    rows_of(points, rows_in_view(points, view))
}

fn rows_in_view(points: &Points, view: &View) -> Vec<Range<usize>> {
    let inside = |row: &usize| {
        let row = *row;
        let x = match view.axis {
            XAxis::Step | XAxis::Defined => points.steps[row],
            // Not told by the points alone.
            XAxis::Metric => view.min,
            XAxis::Time | XAxis::RelativeTime => view.x_of_time(points.times_us[row]),
        };
        let late = view.as_of.is_some_and(|as_of| points.appended_us[row] > as_of.0);
        x >= view.min && x <= view.max && !late
    };
    rows_that(points.len(), inside)
}

/// The rows that `inside` takes, as few ranges as there can be.
pub(super) fn rows_that(rows: usize, inside: impl FnMut(&usize) -> bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for row in (0..rows).filter(inside) {
        match runs.last_mut() {
            Some(run) if run.end == row => run.end += 1,
            _ => runs.push(row..row + 1),
        }
    }
    runs
}

pub(super) fn rows_of(points: &Points, runs: Vec<Range<usize>>) -> Points {
    let mut kept = Points::default();
    for run in runs {
        let extend = |to: &mut Vec<i64>, from: &[i64]| to.extend_from_slice(from.get(run.clone()).unwrap_or_default());
        extend(&mut kept.steps, &points.steps);
        extend(&mut kept.times_us, &points.times_us);
        extend(&mut kept.appended_us, &points.appended_us);
        kept.values.extend(&points.values, run);
    }
    kept
}
