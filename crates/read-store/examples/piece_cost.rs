//! What a piece costs, at sizes from one point to a chunk: `cargo run --release -p corral-read-store --example piece_cost`.
//!
//! Values are a decaying curve with 2 % noise in f32 precision, times have 1 ms jitter; figures are CPU microseconds a
//! piece and CPU seconds a million points, on one thread.

#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::time::Instant;

use corral_domain::{ColumnType, Micros, Value};
use corral_read_store::piece::{self, Decoder, Encoder, Points, Wanted};

fn sample(kind: ColumnType, rows: usize, series: u64) -> Points {
    let mut points = Points::new(kind);
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64 ^ series.wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mut jitter = 0x2545_f491_4f6c_dd1d_u64;
    let next = |word: &mut u64| {
        *word ^= *word << 13;
        *word ^= *word >> 7;
        *word ^= *word << 17;
        (*word >> 11) as f64 / (1_u64 << 53) as f64
    };
    for i in 0..rows {
        let value = ((-(i as f64) / 3000.0).exp() * (1.0 + 0.04 * (next(&mut noise) - 0.5))) as f32;
        let time = 1_700_000_000_000_000 + i as i64 * 10_000 + (next(&mut jitter) * 1000.0) as i64;
        let appended = 1_700_000_000_500_000 + (i as i64 / 32) * 320_000 + (i as i64 / 32) % 7;
        let value = if kind == ColumnType::F32 { Value::F32(value) } else { Value::F64(f64::from(value)) };
        points.push(i as i64, time, Micros(appended), value);
    }
    points
}

fn main() {
    println!(
        "{:>6} {:>5} {:>8} {:>12} {:>12} {:>12} {:>12} {:>12}",
        "rows", "kind", "B/point", "enc us", "enc shared", "enc s/M", "dec us", "dec steps us"
    );
    for kind in [ColumnType::F32, ColumnType::F64] {
        for rows in [1, 8, 16, 20, 32, 48, 64, 96, 128, 256, 656, 1152, 4096] {
            let series: Vec<Points> = (0..16).map(|i| sample(kind, rows, i)).collect();
            let rounds = (400_000 / (rows * 16)).clamp(3, 2_000);
            let pieces = (rounds * 16) as f64;
            let start = Instant::now();
            let mut bytes = 0;
            for _ in 0..rounds {
                for points in &series {
                    bytes += piece::encode(points).len();
                }
            }
            let alone = start.elapsed().as_secs_f64();
            let start = Instant::now();
            for _ in 0..rounds {
                let mut encoder = Encoder::default();
                for points in &series {
                    bytes += encoder.encode(points).len();
                }
            }
            let shared = start.elapsed().as_secs_f64();
            let encoded: Vec<_> = series.iter().map(piece::encode).collect();
            let start = Instant::now();
            for _ in 0..rounds {
                for bytes in &encoded {
                    std::hint::black_box(piece::decode(bytes).map(|p| p.len()).ok());
                }
            }
            let decoded = start.elapsed().as_secs_f64();
            let start = Instant::now();
            for _ in 0..rounds {
                for bytes in &encoded {
                    std::hint::black_box(Decoder::default().decode_some(bytes, Wanted::STEPS).map(|p| p.len()).ok());
                }
            }
            let steps = start.elapsed().as_secs_f64();
            let per_point = bytes as f64 / (2.0 * pieces * rows as f64);
            println!(
                "{rows:>6} {kind:>5?} {per_point:>8.2} {:>12.2} {:>12.2} {:>12.3} {:>12.2} {:>12.2}",
                alone / pieces * 1e6,
                shared / pieces * 1e6,
                shared / pieces / rows as f64 * 1e6,
                decoded / pieces * 1e6,
                steps / pieces * 1e6,
            );
        }
    }
}
