//! Runs: one, and a project's.

use corral_domain::RunId;
use corral_query::{Figure, OrderBy, Run, RunAnswer, RunField, RunOrder, RunQuery, RunWriter, RunsAnswer, RunsQuery};

use crate::error::ApiError;
use crate::freshness::{freshness_from_proto, meta_to_proto};
use crate::metric::{metric_to_proto, value_to_proto};
use crate::proto;

pub fn runs_from_proto(request: proto::ListRunsRequest) -> Result<RunsQuery, ApiError> {
    Ok(RunsQuery {
        freshness: freshness_from_proto(request.freshness)?,
        project: request.project,
        page_size: request.page_size,
        page_token: request.page_token,
        order: request.order.map(order_from_proto).transpose()?,
    })
}

pub fn run_from_proto(request: proto::GetRunRequest) -> Result<RunQuery, ApiError> {
    let freshness = freshness_from_proto(request.freshness)?;
    Ok(RunQuery { freshness, run: run_id("run_id", &request.run_id)? })
}

/// An id that cannot be one names its field, as everything that is invalid does.
pub(crate) fn run_id(field: &'static str, text: &str) -> Result<RunId, ApiError> {
    text.parse().map_err(|error: corral_domain::IdError| ApiError::invalid(field, error.reason))
}

fn order_from_proto(order: proto::RunOrder) -> Result<RunOrder, ApiError> {
    use proto::run_order::By;
    let by = match order.by {
        Some(By::Field(field)) => OrderBy::Field(match proto::RunField::try_from(field) {
            Ok(proto::RunField::Created) => RunField::Created,
            Ok(proto::RunField::Name) => RunField::Name,
            Ok(proto::RunField::State) => RunField::State,
            Ok(proto::RunField::LastActive) => RunField::LastActive,
            Ok(proto::RunField::Unspecified) | Err(_) => {
                return Err(ApiError::invalid("order.field", format!("{field} is not known")));
            }
        }),
        Some(By::Summary(key)) => OrderBy::Summary(key),
        Some(By::Config(path)) => OrderBy::Config(path),
        None => return Err(ApiError::invalid("order.by", "is missing or of an unknown kind")),
    };
    Ok(RunOrder { by, descending: order.descending })
}

pub fn runs_to_proto(answer: RunsAnswer) -> proto::ListRunsResponse {
    proto::ListRunsResponse {
        runs: answer.runs.into_iter().map(to_proto).collect(),
        next_page_token: answer.next_page_token,
        total: answer.total,
        meta: Some(meta_to_proto(&answer.meta)),
    }
}

pub fn run_to_proto(answer: RunAnswer) -> proto::GetRunResponse {
    proto::GetRunResponse {
        run: Some(to_proto(answer.run)),
        metrics: answer.metrics.into_iter().map(metric_to_proto).collect(),
        writers: answer.writers.into_iter().map(writer_to_proto).collect(),
        meta: Some(meta_to_proto(&answer.meta)),
    }
}

fn to_proto(run: Run) -> proto::Run {
    let summary = |(key, figure): (String, Figure)| proto::SummaryFigure { key, value: Some(figure_to_proto(figure)) };
    let config = |(path, json): (Vec<String>, String)| proto::ConfigFigure { path, json };
    proto::Run {
        id: run.id.to_string(),
        project_id: run.project.to_string(),
        name: run.name,
        state: run.state as i32,
        notes: run.notes,
        tags: run.tags,
        group: run.group,
        job_type: run.job_type,
        actor: run.actor,
        created_us: run.created.0,
        started_us: run.started.0,
        last_append_us: run.last_append.0,
        finished_us: run.finished.map(|at| at.0),
        exit_code: run.exit_code,
        message: run.message,
        take: run.take.0,
        max_step: run.max_step,
        points: run.points,
        metrics: run.metrics,
        gap_items: run.gap_items,
        summary: run.summary.into_iter().map(summary).collect(),
        config: run.config.into_iter().map(config).collect(),
    }
}

fn figure_to_proto(figure: Figure) -> proto::TypedValue {
    match figure {
        Figure::Value(value) => value_to_proto(value),
        Figure::Json(text) => proto::TypedValue { kind: Some(proto::typed_value::Kind::Json(text)) },
    }
}

fn writer_to_proto(writer: RunWriter) -> proto::RunWriter {
    proto::RunWriter {
        writer_id: writer.writer.to_string(),
        epoch: writer.epoch,
        actor: writer.actor.to_string(),
        label: writer.label,
        last_seq: writer.last_seq,
        take: writer.take.0,
        gap_items: writer.gap_items,
    }
}
