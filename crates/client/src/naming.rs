//! Names and ids that the client makes: run ids are ULIDs, run names two words and a number, a launch is named once.

use std::ffi::OsString;

use rand::rngs::OsRng;
use rand::{Rng, TryRngCore as _};

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What ids are made from: the operating system, each time. A generator of the process is copied by a fork, and two children
/// would make the same ids. Without random numbers there is no id to go on with, so a failure panics.
pub fn system_random() -> impl Rng {
    OsRng.unwrap_err()
}

/// 48 bits of milliseconds, 80 random bits: sorts by time.
pub fn ulid(now_us: i64, random: &mut impl Rng) -> String {
    let millis = (now_us.max(0) / 1_000) as u128 & 0xffff_ffff_ffff;
    let bits = millis << 80 | random.random::<u128>() >> 48;
    (0..26).rev().map(|at| char::from(CROCKFORD[(bits >> (at * 5)) as usize & 31])).collect()
}

/// E.g. `swift-mesa-41`.
pub fn run_name(random: &mut impl Rng) -> String {
    let (how, what) = (random.random_range(0..HOW.len()), random.random_range(0..WHAT.len()));
    format!("{}-{}-{}", HOW[how], WHAT[what], random.random_range(1..100))
}

/// Which launch this process belongs to: ranks of one launch join one run, another launch opens a new take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launch {
    Known(String),
    /// Nobody named it: this one is to be put into the environment, for children.
    Made(String),
}

pub const LAUNCH_VARIABLE: &str = "CORRAL_LAUNCH";
const LAUNCH_BYTES_MAX: usize = 256;

pub fn launch(env: impl Fn(&str) -> Option<OsString>, random: &mut impl Rng) -> Launch {
    let get = |name: &str| {
        let value = env(name)?.into_string().ok()?;
        (!value.is_empty() && value.len() <= LAUNCH_BYTES_MAX && !value.chars().any(char::is_control)).then_some(value)
    };
    if let Some(launch) = get(LAUNCH_VARIABLE) {
        return Launch::Known(launch);
    }
    // A restarted job is another launch of the same id.
    for (sort, name, restarts) in [
        ("torchelastic", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"),
        ("slurm", "SLURM_JOB_ID", "SLURM_RESTART_COUNT"),
    ] {
        // torchrun's id is "none" unless somebody chose one.
        if let Some(id) = get(name).filter(|id| id != "none") {
            return Launch::Known(format!("{sort}-{id}-{}", get(restarts).unwrap_or_else(|| "0".into())));
        }
    }
    Launch::Made(format!("{:032x}", random.random::<u128>()))
}

const HOW: [&str; 40] = [
    "amber", "bold", "brisk", "calm", "clear", "crisp", "dusty", "early", "eager", "fair", "fleet", "fresh", "gentle",
    "golden", "grand", "hardy", "hidden", "high", "keen", "late", "lively", "lone", "lucky", "mellow", "merry", "mild",
    "noble", "open", "plain", "proud", "quick", "quiet", "rapid", "ruddy", "silver", "steady", "sunny", "swift",
    "warm", "wild",
];
const WHAT: [&str; 40] = [
    "alder", "aspen", "bison", "bluff", "brook", "butte", "canyon", "cedar", "colt", "creek", "crest", "dune",
    "falcon", "ford", "gale", "glade", "grove", "gulch", "hawk", "heron", "herd", "juniper", "lark", "maple", "meadow",
    "mesa", "mustang", "osprey", "otter", "pine", "plain", "prairie", "ranch", "ridge", "river", "sage", "spring",
    "summit", "trail", "willow",
];

#[cfg(test)]
mod tests;
