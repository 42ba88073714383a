//! Which store a URL means.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use url::Url;

use crate::{BlobError, BlobStore};

impl BlobStore {
    /// Opens a store; nothing is asked of a cloud yet. An absolute path is a directory too.
    pub fn open(text: &str) -> Result<Self, BlobError> {
        let invalid = |reason: String| BlobError::Invalid(format!("{text:?}: {reason}"));
        if text.starts_with('/') {
            return directory(std::path::Path::new(text), text);
        }
        let url = Url::parse(text).map_err(|error| {
            invalid(format!("is not a URL ({error}); a directory is written as file:///… or an absolute path"))
        })?;
        match url.scheme() {
            "file" => {
                let path = url.to_file_path().map_err(|()| invalid("names no directory of this machine".to_owned()))?;
                directory(&path, text)
            }
            "memory" => Ok(Self::over(Arc::new(InMemory::new()), Path::default(), text)),
            "s3" | "gs" | "az" => {
                let root = Path::from_url_path(url.path()).map_err(|error| invalid(error.to_string()))?;
                Ok(Self::over(cloud(&url).map_err(invalid)?, root, text))
            }
            scheme => Err(invalid(format!("{scheme}: is not one of file, s3, gs, az"))),
        }
    }
}

fn directory(path: &std::path::Path, text: &str) -> Result<BlobStore, BlobError> {
    let failed = |reason: String| BlobError::Unavailable { url: text.to_owned(), reason };
    std::fs::create_dir_all(path).map_err(|error| failed(error.to_string()))?;
    let store = LocalFileSystem::new_with_prefix(path).map_err(|error| failed(error.to_string()))?;
    Ok(BlobStore::over(Arc::new(store.with_fsync(true)), Path::default(), text))
}

#[cfg(feature = "cloud")]
fn cloud(url: &Url) -> Result<Arc<dyn ObjectStore>, String> {
    use object_store::aws::AmazonS3Builder;
    use object_store::azure::MicrosoftAzureBuilder;
    use object_store::gcp::GoogleCloudStorageBuilder;
    // An error says that the process has chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let text = url.as_str();
    let opened: Result<Arc<dyn ObjectStore>, _> = match url.scheme() {
        "s3" => AmazonS3Builder::from_env().with_url(text).build().map(|store| Arc::new(store) as _),
        "gs" => GoogleCloudStorageBuilder::from_env().with_url(text).build().map(|store| Arc::new(store) as _),
        _ => MicrosoftAzureBuilder::from_env().with_url(text).build().map(|store| Arc::new(store) as _),
    };
    opened.map_err(|error| error.to_string())
}

#[cfg(not(feature = "cloud"))]
fn cloud(url: &Url) -> Result<Arc<dyn ObjectStore>, String> {
    Err(format!("{}: this program was built without the cargo feature `cloud`", url.scheme()))
}
