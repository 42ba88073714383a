//! The same promises, in memory and in a directory.

use super::*;

struct Stores {
    stores: Vec<BlobStore>,
    dir: tempfile::TempDir,
}

fn stores() -> Stores {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}/below/here", dir.path().display());
    let below = BlobStore::over(crate::failing::memory(), Path::from("some/where"), "memory:some/where");
    Stores { stores: vec![BlobStore::open("memory:").unwrap(), BlobStore::open(&url).unwrap(), below], dir }
}

#[tokio::test]
async fn what_was_put_comes_back() {
    let Stores { stores, dir } = stores();
    for store in &stores {
        let bytes = Bytes::from_static(b"some bytes");
        assert!(store.put_new("a/b-1.seg", bytes.clone()).await.unwrap());
        assert!(!store.put_new("a/b-1.seg", Bytes::from_static(b"others")).await.unwrap(), "the first stays");
        assert_eq!(store.get("a/b-1.seg", 10).await.unwrap(), bytes);
        assert_eq!(store.get_range("a/b-1.seg", 5..10).await.unwrap(), &b"bytes"[..]);
        assert!(store.get_range("a/b-1.seg", 5..11).await.is_err());
        let digest = Digest::of(&bytes);
        assert_eq!(store.get_verified("a/b-1.seg", &digest, 10).await.unwrap(), bytes);
        store.replace("a/b-1.seg", Bytes::from_static(b"more than ten")).await.unwrap();
        assert!(matches!(store.get("a/b-1.seg", 10).await, Err(BlobError::Damaged { .. })), "too long");
        let error = store.get_verified("a/b-1.seg", &digest, 100).await.unwrap_err();
        assert!(matches!(&error, BlobError::Damaged { .. }) && error.to_string().contains("SHA-256"), "{error}");
        assert!(matches!(store.get("a/none", 10).await, Err(BlobError::Missing { .. })));
    }
    let on_disk = dir.path().join("below/here/a/b-1.seg");
    assert_eq!(std::fs::read(on_disk).unwrap(), b"more than ten");
}

#[tokio::test]
async fn listings_are_in_order_and_below_the_prefix() {
    for store in &stores().stores {
        assert_eq!(store.list("a").await.unwrap(), vec![]);
        for key in ["a/2", "a/10", "a/c/d", "ab/1", "b"] {
            store.put_new(key, Bytes::from_static(b"xyz")).await.unwrap();
        }
        let listed = store.list("a").await.unwrap();
        let keys: Vec<&str> = listed.iter().map(|found| found.key.as_str()).collect();
        assert_eq!(keys, ["a/10", "a/2", "a/c/d"]);
        assert!(listed.iter().all(|found| found.bytes == 3 && found.modified.0 > 1_600_000_000_000_000));
        assert_eq!(store.names("a").await.unwrap(), ["10", "2", "c"]);
        for key in ["a/2", "a/2", "never"] {
            store.delete(key).await.unwrap();
        }
        assert_eq!(store.list("a").await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_key_is_no_path() {
    for store in &stores().stores {
        for key in ["", "/a", "a/", "a//b", "..", "a/../b", ".", "a b", "ä", "a\\b", "a%2fb", "a\0"] {
            let put = store.put_new(key, Bytes::new()).await;
            assert!(matches!(put, Err(BlobError::Invalid(_))), "{key:?}: {put:?}");
        }
    }
}

#[test]
fn a_url_says_which_store() {
    for (url, says) in [("ftp://x/y", "is not one of"), ("blobs", "file:///"), ("file://host/x", "this machine")] {
        let error = BlobStore::open(url).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains(url), "{error}");
    }
    for url in ["s3://bucket/prefix", "gs://bucket", "az://container/prefix"] {
        match BlobStore::open(url) {
            Ok(store) => assert!(cfg!(feature = "cloud") && store.url() == url),
            Err(error) if cfg!(feature = "cloud") => assert!(!error.to_string().contains("cargo feature"), "{error}"),
            Err(error) => assert!(error.to_string().contains("cargo feature `cloud`"), "{error}"),
        }
    }
}

#[test]
fn a_digest_is_read_as_it_is_shown() {
    let digest = Digest::of(b"abc");
    assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(digest.to_string().parse(), Ok(digest));
    for text in ["", "ba", &"g".repeat(64), &"A".repeat(64), &"ä".repeat(32)] {
        assert!(text.parse::<Digest>().is_err(), "{text}");
    }
}
