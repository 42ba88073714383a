//! The closed set of tables.

/// The numbers are persisted; a retired one stays retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// A stream's state: head, writers, outcomes; one partition a stream, written in the second phase.
    State = 1,
    /// A run's recent records, whole: (run, bucket), offset.
    Tail = 2,
    /// What a set holds: (run), (level, number).
    SetDirectory = 3,
    /// Blocks of a set's pieces sorted by series: (run, level, number), block.
    SetBlock = 4,
    /// Final chunks: (run, series), (level, number, i).
    Chunk = 5,
    /// Names of a run's metrics: (run, index / 4096), index.
    Metric = 6,
    /// A writer's metric ids: (run, writer, id / 4096), id.
    WriterMetric = 7,
    /// A run's series: (run, index / 4096), index.
    Series = 8,
    /// A series' aggregate at the last seal: (run, index / 4096), index.
    SeriesStat = 9,
    /// What a list of runs shows of a run: (organization, project, run hash mod 64), run.
    RunHead = 10,
    /// A run's config: (run), part.
    RunConfig = 11,
    /// What changed when: (run), offset.
    RunRevision = 12,
    /// Objects: (run, bucket), (offset, place).
    Object = 13,
    /// Projects: (organization), project.
    Project = 14,
    /// Names of projects: (organization), name.
    ProjectName = 15,
    /// A project's aggregate of one log partition: (organization, project), partition.
    ProjectStat = 16,
    /// Events that a projection refused: (log partition), offset.
    DeadLetter = 17,
    /// Metric definitions: (run), name.
    MetricDef = 18,
}

impl Table {
    pub const ALL: [Table; 18] = [
        Self::State,
        Self::Tail,
        Self::SetDirectory,
        Self::SetBlock,
        Self::Chunk,
        Self::Metric,
        Self::WriterMetric,
        Self::Series,
        Self::SeriesStat,
        Self::RunHead,
        Self::RunConfig,
        Self::RunRevision,
        Self::Object,
        Self::Project,
        Self::ProjectName,
        Self::ProjectStat,
        Self::DeadLetter,
        Self::MetricDef,
    ];

    /// As figures, and stores that name their tables, call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Tail => "tail",
            Self::SetDirectory => "set_directory",
            Self::SetBlock => "set_block",
            Self::Chunk => "chunk",
            Self::Metric => "metric",
            Self::WriterMetric => "writer_metric",
            Self::Series => "series",
            Self::SeriesStat => "series_stat",
            Self::RunHead => "run_head",
            Self::RunConfig => "run_config",
            Self::RunRevision => "run_revision",
            Self::Object => "object",
            Self::Project => "project",
            Self::ProjectName => "project_name",
            Self::ProjectStat => "project_stat",
            Self::DeadLetter => "dead_letter",
            Self::MetricDef => "metric_def",
        }
    }

    /// Whether a row of this table is written once, as a pure function of the events (and perhaps deleted later), rather
    /// than rewritten. A store with one committer and atomic commits may then write without looking.
    pub const fn is_appended(self) -> bool {
        match self {
            Self::Tail
            | Self::SetDirectory
            | Self::SetBlock
            | Self::Chunk
            | Self::Metric
            | Self::WriterMetric
            | Self::Series
            | Self::RunRevision
            | Self::Object
            | Self::DeadLetter => true,
            Self::State
            | Self::SeriesStat
            | Self::RunHead
            | Self::RunConfig
            | Self::Project
            | Self::ProjectName
            | Self::ProjectStat
            | Self::MetricDef => false,
        }
    }
}
