//! The bounds that shape what a projection writes, as one value: tests scale them down, everyone else takes the real ones.

use corral_domain::limits as real;

/// Changing one changes the bytes of the read models: that is a new build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub tail_points_max: u64,
    pub tail_records_max: u64,
    pub tail_bytes_max: u64,
    pub chunk_points: usize,
    pub level_sets: usize,
    pub set_block_bytes_max: usize,
    pub directory_entries_max: usize,
    pub merge_step_points: u64,
    pub merge_pay_points_min: u64,
    pub run_metrics_max: u32,
    pub run_series_max: u32,
    pub outcome_keep_us: i64,
    pub dead_letters_in_a_row_max: u32,
    pub commit_records_max: usize,
    pub commit_bytes_max: usize,
    pub streams_max: usize,
    pub streams_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tail_points_max: real::TAIL_POINTS_MAX,
            tail_records_max: real::TAIL_RECORDS_MAX,
            tail_bytes_max: real::TAIL_BYTES_MAX,
            chunk_points: real::CHUNK_POINTS,
            level_sets: real::LEVEL_SETS,
            set_block_bytes_max: real::SET_BLOCK_BYTES_MAX,
            directory_entries_max: real::DIRECTORY_ENTRIES_MAX,
            merge_step_points: real::MERGE_STEP_POINTS,
            merge_pay_points_min: real::MERGE_PAY_POINTS_MIN,
            run_metrics_max: real::RUN_METRICS_MAX,
            run_series_max: real::RUN_SERIES_MAX,
            outcome_keep_us: real::OUTCOME_KEEP_US,
            dead_letters_in_a_row_max: real::DEAD_LETTERS_IN_A_ROW_MAX,
            commit_records_max: real::COMMIT_RECORDS_MAX,
            commit_bytes_max: real::COMMIT_BYTES_MAX,
            streams_max: real::PROJECTOR_STREAMS_MAX,
            streams_bytes_max: real::PROJECTOR_STREAMS_BYTES_MAX,
        }
    }
}

impl Limits {
    /// Small enough that a dozen records seal, merge and leave chunks behind.
    pub fn small() -> Self {
        Self {
            tail_points_max: 64,
            tail_records_max: 8,
            tail_bytes_max: 16 * 1024,
            chunk_points: 16,
            level_sets: 3,
            set_block_bytes_max: 512,
            directory_entries_max: 2,
            merge_step_points: 4,
            merge_pay_points_min: 8,
            ..Self::default()
        }
    }

    /// What a record with points pays for merging, in points.
    pub(crate) fn pay(&self, points: u64, bytes: u64) -> u64 {
        (points.saturating_mul(real::MERGE_PAY_FACTOR))
            .max(self.merge_pay_points_min)
            .max(bytes / real::MERGE_PAY_BYTES_PER_POINT)
    }
}

#[cfg(test)]
mod tests;
