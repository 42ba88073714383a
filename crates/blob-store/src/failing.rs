//! A store that dies at a chosen step, before or after it was done, and does nothing from then on: what a killed process
//! leaves behind, at every step that there is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::BlobStore;

/// Steps that change the store, counted from 0; reading is not one.
#[derive(Debug)]
struct Failing {
    inner: Arc<dyn ObjectStore>,
    steps: Arc<AtomicU64>,
    dies_at: u64,
    /// The step at which it dies is done, and nobody hears of it.
    done: bool,
}

/// A store over `inner` that dies at a step.
pub fn dies_at(inner: &Arc<dyn ObjectStore>, step: u64, done: bool) -> BlobStore {
    let failing = Failing { inner: Arc::clone(inner), steps: Arc::default(), dies_at: step, done };
    BlobStore::over(Arc::new(failing), Path::default(), "failing:")
}

/// The same store, well.
pub fn lives(inner: &Arc<dyn ObjectStore>) -> BlobStore {
    BlobStore::over(Arc::clone(inner), Path::default(), "memory:")
}

/// An empty one.
pub fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(object_store::memory::InMemory::new())
}

impl Failing {
    /// Whether the step is done, and whether that is heard of.
    fn step(&self) -> (bool, bool) {
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        (step < self.dies_at || step == self.dies_at && self.done, step < self.dies_at)
    }

    fn alive(&self) -> Result<()> {
        if self.steps.load(Ordering::SeqCst) > self.dies_at { Err(dead()) } else { Ok(()) }
    }
}

fn dead() -> Error {
    Error::Generic { store: "failing", source: "it died".into() }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failing {}", self.inner)
    }
}

#[async_trait::async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let (done, heard) = self.step();
        let put = if done { self.inner.put_opts(location, payload, opts).await } else { Err(dead()) };
        if heard { put } else { Err(dead()) }
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented { operation: "put_multipart_opts".to_owned(), implementer: "failing".to_owned() })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.alive()?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (done, heard) = self.step();
        if done && heard {
            return self.inner.delete_stream(locations);
        }
        futures_util::stream::once(async { Err(dead()) }).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.alive() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures_util::stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.alive()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (done, heard) = self.step();
        let copied = if done { self.inner.copy_opts(from, to, options).await } else { Err(dead()) };
        if heard { copied } else { Err(dead()) }
    }
}
