//! Who is waited for, and for how long.

use super::*;

/// Callers that append again `return_us` after they were acknowledged, and a disk that syncs in `sync_us`: the sizes of
/// the groups they end up in, and how long an append took in the mean.
fn groups(callers: usize, return_us: u64, sync_us: u64) -> (Vec<usize>, u64) {
    let mut company = Company::new();
    // When each caller appends next; they start one after the other.
    let mut appends: Vec<u64> = (0..callers as u64).collect();
    let (mut now, mut sizes, mut took) = (0, Vec::new(), Vec::new());
    while sizes.len() < 400 {
        appends.sort_unstable();
        now = now.max(appends[0]);
        let began = now;
        let here = |now: u64, appends: &[u64]| appends.iter().filter(|at| **at <= now).count();
        // The queue's own rule: until as many are there as are expected, or patience ends.
        while here(now, &appends) < company.expected() {
            let ends = began + company.patience(here(now, &appends)).as_micros() as u64;
            match appends.get(here(now, &appends)) {
                Some(next) if *next <= ends => now = *next,
                _ => {
                    now = now.max(ends);
                    break;
                }
            }
        }
        let group = here(now, &appends);
        now += sync_us;
        company.synced(Duration::from_micros(sync_us));
        company.learn(group, here(now, &appends) - group);
        for at in &mut appends[..group] {
            took.push(now - *at);
            *at = now + return_us;
        }
        sizes.push(group);
    }
    let took = &took[took.len() / 2..];
    (sizes, took.iter().sum::<u64>() / took.len() as u64)
}

#[test]
fn a_lone_caller_never_waits() {
    for waiting_before in [0, 1, 63] {
        let mut company = Company::new();
        company.learn(1, waiting_before);
        company.learn(1, 0);
        assert_eq!(company.expected(), 1);
    }
    assert_eq!(groups(1, 50, 300), (vec![1; 400], 300));
}

#[test]
fn callers_that_come_back_end_in_one_group() {
    for callers in [2, 3, 4, 8, 16, 64] {
        let (sizes, took) = groups(callers, 50, 300);
        assert!(sizes[100..].iter().all(|size| *size == callers), "{callers}: {sizes:?}");
        assert_eq!(took, 300, "{callers}: nobody waits but for the sync");
    }
}

/// Without a wait they would meet a writer that has begun the next sync.
#[test]
fn a_large_company_is_waited_for_though_it_comes_late() {
    for return_us in [2_000, 10_000] {
        let (sizes, _) = groups(64, return_us, 300);
        let acks: usize = sizes[100..].iter().sum();
        assert!(acks >= 16 * (sizes.len() - 100), "{return_us}: {sizes:?}");
    }
}

/// Whatever the callers do between: an append takes no longer than it would if nobody waited for anybody (then it takes
/// the rest of a sync that has begun, and its own).
#[test]
fn a_few_are_held_up_no_longer_than_a_sync() {
    for callers in 2..LARGE {
        for return_us in [0, 100, 300, 1_000, 5_000, 50_000] {
            let (_, took) = groups(callers, return_us, 300);
            assert!(took <= 2 * 300, "{callers} callers, {return_us} us: {took} us");
        }
    }
}

#[test]
fn patience_is_what_the_others_gain_and_ends_when_all_are_there() {
    for expected in 1..200 {
        let mut company = Company::new();
        company.learn(expected, 0);
        for present in 1..=expected + 1 {
            let wait = company.patience(present).as_micros() as u64;
            assert!(wait <= WAIT_MS_MAX * 1_000);
            assert_eq!(wait == 0, present >= expected, "{present} of {expected}");
            if expected < LARGE {
                assert!(wait * present as u64 <= (expected.saturating_sub(present)) as u64 * SYNC_US_LEAST);
            }
        }
    }
}

#[test]
fn who_went_away_is_not_waited_for_long() {
    let mut company = Company::new();
    company.learn(16, 0);
    let mut expected = Vec::new();
    for _ in 0..7 {
        company.learn(2, 0);
        expected.push(company.expected());
    }
    assert_eq!(expected, [12, 9, 6, 4, 3, 2, 2]);
}

#[test]
fn one_slow_sync_changes_little() {
    let mut company = Company::new();
    (0..100).for_each(|_| company.synced(Duration::from_micros(300)));
    company.synced(Duration::from_secs(3_600));
    assert!(company.sync_us < 400, "{company:?}");
}
