//! Asks for one series again and again, as buckets or raw, and says how long the answers took.

use clap::Args;
use corral_wire::proto::{GetHistoryRequest, query_service_client::QueryServiceClient};
use serde_json::json;
use std::time::Instant;

use crate::{Failure, Target, report};

const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// One series, or a stretch of it.
#[derive(Args)]
pub(crate) struct Question {
    #[arg(long)]
    run: String,
    #[arg(long, default_value = "metric-0000")]
    metric: String,
    /// 0: raw points.
    #[arg(long, default_value_t = 1000)]
    buckets: u32,
    #[arg(long)]
    x_min: Option<i64>,
    #[arg(long)]
    x_max: Option<i64>,
    #[arg(long, default_value_t = 100)]
    times: u32,
}

pub(crate) async fn ask(target: Target, question: Question) -> Result<(), Failure> {
    let mut client = QueryServiceClient::new(target.channel().await?).max_decoding_message_size(ANSWER_BYTES_MAX);
    let request = GetHistoryRequest {
        run_ids: vec![question.run.clone()],
        metrics: vec![question.metric.clone()],
        buckets: question.buckets,
        x_min: question.x_min,
        x_max: question.x_max,
        ..Default::default()
    };
    let mut took = Vec::new();
    let mut rows = 0;
    let began = Instant::now();
    for _ in 0..question.times {
        let asked = Instant::now();
        let answer = client.get_history(target.authorize(request.clone())?).await?.into_inner();
        took.push(asked.elapsed());
        rows = answer.series.iter().map(|series| series.rows).sum::<u32>();
    }
    report::print(&json!({
        "times": question.times,
        "rows": rows,
        "seconds": began.elapsed().as_secs_f64(),
        "p50_ms": report::at(&mut took, 0.5),
        "p99_ms": report::at(&mut took, 0.99),
    }))
}
