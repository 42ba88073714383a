//! Who is waited for, and for how long.

use super::*;

/// Callers that append again `return_us` after they were acknowledged, and a disk that syncs in `sync_us`: the sizes of
/// the groups they end up in, and how long an append took in the mean.
fn groups(callers: usize, return_us: u64, sync_us: u64) -> (Vec<usize>, u64) {
    let mut company = Company::new();
    // When each caller appends next; they start one after the other.
    let mut appends: Vec<u64> = (0..callers as u64).map(|caller| caller * return_us / callers as u64).collect();
    let (mut now, mut sizes, mut took) = (0, Vec::new(), Vec::new());
    while sizes.len() < 400 {
        appends.sort_unstable();
        now = now.max(appends[0]);
        let began = now;
        let here = |now: u64, appends: &[u64]| appends.iter().filter(|at| **at <= now).count();
        // The queue's own rule: until as many are there as are hoped for, or patience ends.
        let (hope, mut last) = (company.hope(), now);
        while here(now, &appends) < hope {
            let Patience { all, next } = company.patience(here(now, &appends));
            let ends = (began + all.as_micros() as u64).min(last + next.as_micros() as u64);
            match appends.get(here(now, &appends)) {
                Some(comes) if *comes <= ends => (now, last) = (*comes, *comes),
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
            // Not quite in step, so that they meet.
            *at = now + return_us + return_us * (sizes.len() as u64 * 7 % 10) / 100;
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
        assert_eq!(company.hope(), 1);
    }
    assert_eq!(groups(1, 50, 300), (vec![1; 400], 300));
}

#[test]
fn callers_that_come_back_end_in_one_group() {
    for callers in [2, 3, 4, 8, 16, 64] {
        let (sizes, took) = groups(callers, 50, 300);
        assert!(sizes[100..].iter().all(|size| *size == callers), "{callers}: {sizes:?}");
        assert!(took < 350, "{callers}: {took} us, a sync and now and then a trial");
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
fn a_small_company_waits_for_what_the_others_gain() {
    for expected in 2..LARGE {
        let mut company = Company::new();
        company.learn(expected, 0);
        for present in 1..=expected + 1 {
            let wait = company.patience(present).all.as_micros() as u64;
            assert_eq!(wait == 0, present >= expected, "{present} of {expected}");
            assert!(wait * present as u64 <= expected.saturating_sub(present) as u64 * SYNC_US_FIRST);
        }
    }
}

#[test]
fn a_small_company_is_tried_ever_less_often() {
    let mut company = Company::new();
    company.learn(2, 0);
    let mut tried = Vec::new();
    for group in 0..20_000 {
        if company.hope() > 2 {
            tried.push(group);
        }
        company.learn(2, 0);
    }
    let between: Vec<i32> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(between, [129, 257, 513, 1_025, 2_049, 4_097, 4_097, 4_097]);
}

/// They come one by one all the time, so never do two of them wait together unless somebody is held up.
#[test]
fn who_is_always_on_the_way_is_found() {
    let (sizes, _) = groups(16, 40_000, 300);
    let acks: usize = sizes[100..].iter().sum();
    assert!(acks >= 8 * (sizes.len() - 100), "{sizes:?}");
}

#[test]
fn who_went_away_is_not_waited_for_long() {
    let mut company = Company::new();
    company.learn(16, 0);
    let mut hoped = Vec::new();
    for _ in 0..8 {
        company.learn(2, 0);
        hoped.push(company.expected);
    }
    assert_eq!(hoped, [12, 9, 6, 4, 3, 2, 2, 2]);
}

#[test]
fn one_slow_sync_changes_little() {
    let mut company = Company::new();
    (0..100).for_each(|_| company.synced(Duration::from_micros(300)));
    company.synced(Duration::from_secs(3_600));
    assert!(company.sync_us < 400, "{company:?}");
}
