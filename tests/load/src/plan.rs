//! What a load is made of: runs, metrics, steps, and how many of them go into one message.

use clap::{Args, ValueEnum};

use crate::Failure;

/// The shape of a load; each workload of `docs/BENCHMARKS.md` is a value of this.
#[derive(Args, Clone)]
pub(crate) struct Plan {
    #[arg(long, default_value = "load")]
    pub(crate) project: String,
    /// Run ids are PREFIX-0, PREFIX-1, ...
    #[arg(long)]
    pub(crate) prefix: String,
    #[arg(long, default_value_t = 1)]
    pub(crate) runs: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) connections: u32,
    #[arg(long, default_value_t = 100)]
    pub(crate) metrics: u32,
    /// Of each run. Several, rising: after each but the last it waits for a line on standard input.
    #[arg(long, value_delimiter = ',', default_value = "10000")]
    pub(crate) steps: Vec<u64>,
    #[arg(long, default_value_t = 100)]
    pub(crate) steps_per_batch: u32,
    /// Batches of a run that may wait for their acknowledgement; 1 is a closed loop.
    #[arg(long, default_value_t = 8)]
    pub(crate) window: usize,
    #[arg(long, value_enum, default_value_t = Rates::Every)]
    pub(crate) rates: Rates,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// How often a metric is logged.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rates {
    /// Every metric at every step.
    Every,
    /// A quarter of the metrics at every step, a quarter at every 10th, 100th and 1,000th each.
    Mixed,
}

impl Plan {
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let rising = self.steps.windows(2).all(|pair| pair[0] < pair[1]);
        let counts = [self.runs, self.connections, self.metrics, self.steps_per_batch];
        if !rising || self.steps.is_empty() || self.window == 0 || counts.contains(&0) || self.connections > self.runs {
            return Err("steps must rise, counts be above 0, and connections not be more than runs".into());
        }
        Ok(())
    }

    pub(crate) fn run_id(&self, run: u32) -> String {
        format!("{}-{run}", self.prefix)
    }

    /// Whether a metric has a value at a step.
    pub(crate) fn logs(&self, metric: u32, step: u64) -> bool {
        match self.rates {
            Rates::Every => true,
            Rates::Mixed => step.is_multiple_of(10_u64.pow(metric % 4)),
        }
    }

    /// Points of one run in steps [from, to).
    pub(crate) fn points(&self, from: u64, to: u64) -> u64 {
        (0..self.metrics)
            .map(|metric| match self.rates {
                Rates::Every => to - from,
                Rates::Mixed => {
                    let every = 10_u64.pow(metric % 4);
                    to.div_ceil(every) - from.div_ceil(every)
                }
            })
            .sum()
    }
}
