//! Put, get, list, delete.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use corral_domain::Micros;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};

use crate::Digest;

/// Why a blob could not be had or put.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("{url}: there is no {key}")]
    Missing { url: String, key: String },
    /// It is not what was put: it must not be used.
    #[error("{url}: {key} is damaged: {reason}")]
    Damaged { url: String, key: String, reason: String },
    /// A key, a URL or a setting that is not one. Final.
    #[error("{0}")]
    Invalid(String),
    /// The store cannot answer now, or does not let us in. What a put had may be there.
    #[error("{url}: {reason}")]
    Unavailable { url: String, reason: String },
}

/// What a listing says of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub key: String,
    pub bytes: u64,
    /// By the store's clock.
    pub modified: Micros,
}

/// A place for blobs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BlobStore {
    url: Arc<str>,
    root: Path,
    inner: Arc<dyn ObjectStore>,
}

impl BlobStore {
    /// Keys lie below `root`; `url` is how errors name it.
    pub fn over(inner: Arc<dyn ObjectStore>, root: Path, url: &str) -> Self {
        Self { url: url.into(), root, inner }
    }

    /// How it was opened.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Puts a blob unless there is one; false: there was one, and it stays.
    pub async fn put_new(&self, key: &str, bytes: Bytes) -> Result<bool, BlobError> {
        match self.inner.put_opts(&self.path(key)?, bytes.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(self.error(key, &error)),
        }
    }

    /// Puts a blob in the place of any that is there.
    pub async fn replace(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        let put = self.inner.put_opts(&self.path(key)?, bytes.into(), PutMode::Overwrite.into()).await;
        put.map(|_| ()).map_err(|error| self.error(key, &error))
    }

    /// A whole blob of at most so many bytes.
    pub async fn get(&self, key: &str, bytes_max: u64) -> Result<Bytes, BlobError> {
        let found = self.inner.get(&self.path(key)?).await.map_err(|error| self.error(key, &error))?;
        let size = found.meta.size;
        if size > bytes_max {
            return Err(self.damaged(key, format!("it has {size} bytes, at most {bytes_max} were expected")));
        }
        found.bytes().await.map_err(|error| self.error(key, &error))
    }

    /// A whole blob whose hash is known: what comes back is that, or an error.
    pub async fn get_verified(&self, key: &str, digest: &Digest, bytes_max: u64) -> Result<Bytes, BlobError> {
        let bytes = self.get(key, bytes_max).await?;
        let found = Digest::of(&bytes);
        match found == *digest {
            true => Ok(bytes),
            false => Err(self.damaged(key, format!("its SHA-256 is {found}, {digest} was put"))),
        }
    }

    /// A part of a blob; it must lie within it.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        let wanted = range.end.saturating_sub(range.start);
        let bytes = self.inner.get_range(&self.path(key)?, range).await.map_err(|error| self.error(key, &error))?;
        match bytes.len() as u64 == wanted {
            true => Ok(bytes),
            false => Err(self.damaged(key, format!("{wanted} bytes were asked for, it has {}", bytes.len()))),
        }
    }

    /// Every blob whose key begins with `prefix/`, in the order of their keys.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Found>, BlobError> {
        let path = self.path(prefix)?;
        let listed: Vec<_> = self.inner.list(Some(&path)).try_collect().await.map_err(|e| self.error(prefix, &e))?;
        let root = self.root.as_ref();
        let key = |path: &str| path.strip_prefix(root).unwrap_or(path).trim_start_matches('/').to_owned();
        let mut found: Vec<Found> = listed
            .into_iter()
            .map(|meta| Found {
                key: key(meta.location.as_ref()),
                bytes: meta.size,
                modified: Micros(meta.last_modified.timestamp_micros()),
            })
            .collect();
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    /// The names that lie directly below `prefix`: of blobs, and what keys go on with.
    pub async fn names(&self, prefix: &str) -> Result<Vec<String>, BlobError> {
        let listed = self.inner.list_with_delimiter(Some(&self.path(prefix)?)).await;
        let listed = listed.map_err(|error| self.error(prefix, &error))?;
        let paths = listed.common_prefixes.into_iter().chain(listed.objects.into_iter().map(|meta| meta.location));
        let mut names: Vec<String> = paths.filter_map(|path| Some(path.filename()?.to_owned())).collect();
        names.sort();
        Ok(names)
    }

    /// Removes a blob; that there is none is no error.
    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        match self.inner.delete(&self.path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error(key, &error)),
        }
    }

    /// Keys are ours: parts of letters, digits, `.`, `_` and `-` between slashes, so that every store takes them as they are.
    fn path(&self, key: &str) -> Result<Path, BlobError> {
        let part = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain)
        };
        if !key.split('/').all(part) {
            return Err(BlobError::Invalid(format!("key: {key:?} is not parts of [A-Za-z0-9._-] between slashes")));
        }
        Ok(self.root.parts().chain(Path::from(key).parts()).collect())
    }

    fn damaged(&self, key: &str, reason: String) -> BlobError {
        BlobError::Damaged { url: self.url.to_string(), key: key.to_owned(), reason }
    }

    fn error(&self, key: &str, error: &object_store::Error) -> BlobError {
        let (url, key) = (self.url.to_string(), key.to_owned());
        match error {
            object_store::Error::NotFound { .. } => BlobError::Missing { url, key },
            error => BlobError::Unavailable { url, reason: format!("{key}: {error}") },
        }
    }
}

#[cfg(test)]
mod tests;
