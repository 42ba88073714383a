//! Sets of keys that were logged before, recognised by the identity of their strings.
//!
//! A training logs the same few dicts over and over, and the keys of a dict display are the same objects each time. So a
//! key costs one comparison of addresses instead of a hash of its text. A key that is another object (made by an
//! f-string) is looked up by its text.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// Sets that are remembered; beyond it the least recently made goes.
const SHAPES_MAX: usize = 16;
/// A larger dict is looked up by text.
const SHAPE_KEYS_MAX: usize = 4_096;

#[derive(Default)]
pub(crate) struct Shapes {
    shapes: Vec<Shape>,
    oldest: usize,
}

/// Keys and the run's own numbers of their metrics; the keys are kept alive, so that an address names one key.
#[derive(Default)]
pub(crate) struct Shape {
    keys: Vec<(Py<PyString>, u32)>,
}

impl Shape {
    /// The metric of the key at `at`, if it is the same object.
    #[inline]
    pub(crate) fn metric(&self, at: usize, key: &Bound<'_, PyAny>) -> Option<u32> {
        let (known, metric) = self.keys.get(at)?;
        (known.as_ptr() == key.as_ptr()).then_some(*metric)
    }

    pub(crate) fn push(&mut self, key: &Bound<'_, PyString>, metric: u32) {
        self.keys.push((key.clone().unbind(), metric));
    }
}

impl Shapes {
    /// The set that a dict of so many keys, beginning with this one, probably has.
    #[inline]
    pub(crate) fn find(&self, len: usize, first: &Bound<'_, PyAny>) -> Option<&Shape> {
        self.shapes.iter().find(|shape| shape.keys.len() == len && shape.metric(0, first).is_some())
    }

    pub(crate) fn remember(&mut self, shape: Shape) {
        if shape.keys.is_empty() || shape.keys.len() > SHAPE_KEYS_MAX {
            return;
        }
        // The same beginning and length, and yet another set: the newer is likelier to come again.
        let same = |known: &Shape| {
            known.keys.len() == shape.keys.len() && known.keys[0].0.as_ptr() == shape.keys[0].0.as_ptr()
        };
        if let Some(at) = self.shapes.iter().position(same) {
            self.shapes[at] = shape;
        } else if self.shapes.len() < SHAPES_MAX {
            self.shapes.push(shape);
        } else {
            self.shapes[self.oldest] = shape;
            self.oldest = (self.oldest + 1) % SHAPES_MAX;
        }
    }
}
