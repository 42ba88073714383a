//! Bytes of identity records, and which of several counts.

use super::*;

fn identity(id: u128, epoch: u32) -> LogIdentity {
    LogIdentity { log_id: LogId(uuid::Uuid::from_u128(id)), log_epoch: LogEpoch(epoch), partitions: 0x0304 }
}

#[test]
fn bytes_stay_as_they_were_released() {
    let bytes = encode(&identity(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, 0x1415_1617));
    let expected = [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0x17, 0x16, 0x15, 0x14, 4, 3];
    assert_eq!(bytes, expected);
    assert_eq!(decode(&bytes).expect("it is one"), identity(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, 0x1415_1617));
}

#[test]
fn what_is_no_identity_is_refused() {
    let mut newer = encode(&identity(1, 1)).to_vec();
    newer[0] = 2;
    for (bytes, says) in [(vec![], "empty"), (newer, "version 2"), (vec![1; 22], "22 bytes"), (vec![1; 24], "24 bytes")]
    {
        let error = decode(&bytes).expect_err("refused").to_string();
        assert!(error.contains(says), "{error} says {says}");
    }
}

#[test]
fn the_first_record_decides_and_later_ones_raise_its_epoch() {
    let check = |records: &[(u128, u32)], expect: Option<(u128, u32)>| {
        let records: Vec<Vec<u8>> = records.iter().map(|(id, epoch)| encode(&identity(*id, *epoch)).to_vec()).collect();
        assert_eq!(current(&records).expect("they are valid"), expect.map(|(id, epoch)| identity(id, epoch)));
    };
    check(&[], None);
    check(&[(1, 1), (2, 1)], Some((1, 1)));
    check(&[(1, 1), (2, 9), (1, 3), (1, 2)], Some((1, 3)));
}
