//! What a read costs: `cargo run --release -p corral-query --example read_cost`.
//!
//! Q1 (one series of 100,000 points to 1,000 buckets) and the growth of a read of a part of one series while its run grows
//! from 1 to 10 million points whose metrics are logged at every step to every 1,000 steps. On one thread, over the store
//! in memory, at the real limits.

#![allow(clippy::print_stdout, clippy::disallowed_methods, dead_code, unreachable_pub)]

#[path = "../src/testing.rs"]
mod testing;

use std::time::Instant;

use corral_domain::{RunId, Value};
use corral_query::{Engine, HistoryQuery, Options};
use testing::{ORGANIZATION, Record, START, Scale, World, run_id};

const REAL: Scale = Scale { seal_points: 65_536, chunk: 4_096, sets: 8 };

fn noise(word: &mut u64) -> f64 {
    *word ^= *word << 13;
    *word ^= *word >> 7;
    *word ^= *word << 17;
    (*word >> 11) as f64 / (1_u64 << 53) as f64
}

/// `steps` steps of metrics, each logged every so many steps, 32 steps a record.
async fn log(world: &mut World, run: &RunId, rates: &[(&[&str], i64)], steps: std::ops::Range<i64>) {
    let mut word = 0x9e37_79b9_7f4a_7c15 ^ steps.start as u64;
    for from in steps.clone().step_by(32) {
        for (metrics, every) in rates {
            let due: Vec<i64> = (from..(from + 32).min(steps.end)).filter(|step| step % every == 0).collect();
            if due.is_empty() {
                continue;
            }
            let mut row = |step: i64| {
                let curve = (-(step as f64) / 3e4).exp();
                let values =
                    metrics.iter().map(|_| Value::F32((curve * (0.98 + 0.04 * noise(&mut word))) as f32)).collect();
                (step, START.0 + step * 10_000 + (noise(&mut word) * 1_000.0) as i64, values)
            };
            let rows = due.iter().map(|step| row(*step)).collect();
            world.record(run, Record { label: "", metrics, rows, duplicates: 0 }).await;
        }
    }
}

/// Median and best, in milliseconds.
async fn time(world: &World, query: &HistoryQuery) -> (f64, f64, usize) {
    let mut times = Vec::new();
    let mut rows = 0;
    for _ in 0..41 {
        let began = Instant::now();
        let answer = world.engine.history(ORGANIZATION, query).await.expect("answers");
        times.push(began.elapsed().as_secs_f64() * 1e3);
        rows = answer.series.iter().map(|series| series.columns.rows()).sum();
    }
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[0], rows)
}

fn ask(run: &RunId, metric: &str, buckets: u32) -> HistoryQuery {
    HistoryQuery { runs: vec![run.clone()], metrics: vec![metric.to_owned()], buckets, ..HistoryQuery::default() }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let names: Vec<String> = (0..100).map(|i| format!("m{i:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = World::new(REAL);
    for (name, metrics) in [("q1-alone", &names[..1]), ("q1-among-10", &names[..10])] {
        let run = run_id(name);
        world.open(&run).await;
        log(&mut world, &run, &[(metrics, 1)], 0..100_000).await;
        let (median, best, rows) = time(&world, &ask(&run, "m00", 1_000)).await;
        println!("Q1 {name}: 100,000 points to {rows} buckets: median {median:.2} ms, best {best:.2} ms");
    }
    // The worst tail: a record a step, 100 metrics in each.
    let run = run_id("one-step-records");
    world.open(&run).await;
    for step in 0..600 {
        let rows = vec![(step, START.0 + step, vec![Value::F64(step as f64); 100])];
        world.record(&run, Record { label: "", metrics: &names, rows, duplicates: 0 }).await;
    }
    let (median, best, _) = time(&world, &ask(&run, "m00", 1_000)).await;
    println!("a tail of 60,000 points in 600 records: one series median {median:.2} ms, best {best:.2} ms");
    let run = run_id("grows");
    let mut world = World::new(REAL);
    world.open(&run).await;
    let (every, tens, hundreds, thousands) = (&names[..20], &names[20..50], &names[50..80], &names[80..]);
    let rates = [(every, 1), (tens, 10), (hundreds, 100), (thousands, 1_000)];
    let mut steps = 0;
    for millions in [1, 2, 5, 10] {
        while world.runs[&run].state.points < millions * 1_000_000 {
            log(&mut world, &run, &rates, steps..steps + 1_000).await;
            steps += 1_000;
        }
        print!("{millions:>2} M points in the run:");
        for (metric, wanted) in [("m00", 10_000), ("m20", 4_000), ("m50", 400), ("m80", 40)] {
            // The last points of the series, as many at any size of the run.
            let every = rates.iter().find(|(metrics, _)| metrics.contains(&metric)).expect("one").1;
            let mut query = ask(&run, metric, 1_000);
            query.x_min = Some(steps - wanted * every);
            let (median, best, _) = time(&world, &query).await;
            print!("  {metric} last {wanted}: {median:.2} ms (best {best:.2})");
        }
        println!();
    }
}
