//! Ids are valid run ids; launches follow the environment.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

#[test]
fn ulids_are_run_ids_that_sort_by_time() {
    let mut random = StdRng::seed_from_u64(1);
    let ids: Vec<String> = (0..100).map(|n| ulid(1_700_000_000_000_000 + n * 1_000, &mut random)).collect();
    assert!(ids.is_sorted());
    assert!(ids.iter().all(|id| id.len() == 26 && id.parse::<corral_domain::RunId>().is_ok()));
    assert_eq!(&ids[0][..10], "01HF7YAT00");
}

#[test]
fn a_launch_is_named_by_the_first_who_knows_it() {
    let check = |env: &[(&str, &str)], expect: Option<&str>| {
        let get = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        match (launch(get, &mut StdRng::seed_from_u64(1)), expect) {
            (Launch::Known(found), Some(expect)) => assert_eq!(found, expect),
            (Launch::Made(found), None) => assert_eq!(found.len(), 32),
            (found, expect) => panic!("{env:?}: {found:?}, not {expect:?}"),
        }
    };
    check(&[], None);
    check(&[("CORRAL_LAUNCH", "x"), ("SLURM_JOB_ID", "7")], Some("x"));
    check(&[("TORCHELASTIC_RUN_ID", "none"), ("SLURM_JOB_ID", "7")], Some("slurm-7-0"));
    check(&[("TORCHELASTIC_RUN_ID", "j"), ("TORCHELASTIC_RESTART_COUNT", "2")], Some("torchelastic-j-2"));
    check(&[("SLURM_JOB_ID", "7"), ("SLURM_RESTART_COUNT", "3")], Some("slurm-7-3"));
    check(&[("CORRAL_LAUNCH", "")], None);
}

#[test]
fn a_name_is_two_words_and_a_number() {
    let name = run_name(&mut StdRng::seed_from_u64(7));
    let parts: Vec<&str> = name.split('-').collect();
    assert_eq!(parts.len(), 3, "{name}");
    assert!(parts[2].parse::<u8>().is_ok_and(|number| (1..100).contains(&number)));
}
