//! Buckets: powers of two of the x unit, aligned to zero, so that a new point changes one bucket and a range that doubles
//! only merges neighbours.
//!
//! Counts, min and max are exact; nothing is sampled. Points are folded in read order, so equal points give equal bits.

use corral_read_store::piece::Values;

use crate::answer::BucketColumns;

/// The width of buckets: 2^exponent. At exponent 63 there are two: below zero and from zero on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Width(u32);

impl Width {
    const EXPONENT_MAX: u32 = 63;

    /// The smallest width at which `[min, max]` touches at most `buckets` buckets (2 at the widest, if it crosses zero).
    pub fn covering(min: i64, max: i64, buckets: u32) -> Self {
        // At width 2^e the range touches at most range / 2^e + 2 buckets: start just below where that may be enough.
        let range = i128::from(max) - i128::from(min);
        let mut exponent = (range / i128::from(buckets.max(1))).checked_ilog2().unwrap_or(0).saturating_sub(1);
        while exponent < Self::EXPONENT_MAX && Self(exponent).touched(min, max) > i128::from(buckets.max(1)) {
            exponent += 1;
        }
        Self(exponent.min(Self::EXPONENT_MAX))
    }

    /// How many buckets `[min, max]` touches.
    fn touched(self, min: i64, max: i64) -> i128 {
        i128::from(self.index(max)) - i128::from(self.index(min)) + 1
    }

    /// floor(x / width): an arithmetic shift rounds down below zero too.
    pub fn index(self, x: i64) -> i64 {
        x >> self.0
    }

    pub fn get(self) -> u64 {
        1 << self.0
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    pub index: i64,
    pub count: u32,
    pub nan_count: u32,
    /// NaN while there is no value that is not NaN.
    pub min: f64,
    pub max: f64,
    sum: f64,
    pub last: f64,
    last_x: i64,
    pub first_non_finite: f64,
    /// Meaningless while `first_non_finite` is 0.
    non_finite_x: i64,
}

impl Bucket {
    fn new(index: i64) -> Self {
        Self {
            index,
            count: 0,
            nan_count: 0,
            min: f64::NAN,
            max: f64::NAN,
            sum: 0.0,
            last: f64::NAN,
            last_x: i64::MIN,
            first_non_finite: 0.0,
            non_finite_x: 0,
        }
    }

    fn add(&mut self, x: i64, value: f64) {
        self.count = self.count.saturating_add(1);
        if !value.is_finite() && (self.first_non_finite == 0.0 || x < self.non_finite_x) {
            (self.first_non_finite, self.non_finite_x) = (value, x);
        }
        if value.is_nan() {
            self.nan_count = self.nan_count.saturating_add(1);
            return;
        }
        if self.min.is_nan() || value < self.min {
            self.min = value;
        }
        if self.max.is_nan() || value > self.max {
            self.max = value;
        }
        self.sum += value;
        if x >= self.last_x {
            (self.last, self.last_x) = (value, x);
        }
    }

    pub fn mean(&self) -> f64 {
        let numbers = self.count - self.nan_count;
        if numbers == 0 { f64::NAN } else { self.sum / f64::from(numbers) }
    }
}

/// A series' buckets at one width, sorted by index.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    width: Width,
    list: Vec<Bucket>,
    /// Where the last point went: the next one mostly goes there or behind.
    at: usize,
}

impl Buckets {
    pub fn new(width: Width) -> Self {
        Self { width, list: Vec::new(), at: 0 }
    }

    pub fn width(&self) -> Width {
        self.width
    }

    pub fn list(&self) -> &[Bucket] {
        &self.list
    }

    pub fn add(&mut self, x: i64, value: f64) {
        let index = self.width.index(x);
        if self.list.get(self.at).is_none_or(|bucket| bucket.index != index) {
            self.at = self.place(index);
        }
        self.list[self.at].add(x, value);
    }

    /// Adds points in read order.
    pub fn fold(&mut self, xs: &[i64], values: &Values) {
        match values {
            Values::F64(list) => self.fold_each(xs, list.iter().copied()),
            Values::F32(list) => self.fold_each(xs, list.iter().map(|v| f64::from(*v))),
            Values::I64(list) => self.fold_each(xs, list.iter().map(|v| *v as f64)),
            Values::U64(list) => self.fold_each(xs, list.iter().map(|v| *v as f64)),
            Values::Bool(list) => self.fold_each(xs, list.iter().map(|v| f64::from(u8::from(*v)))),
            Values::Mixed(list) => self.fold_each(xs, list.iter().map(|v| v.as_f64())),
        }
    }

    fn fold_each(&mut self, xs: &[i64], values: impl Iterator<Item = f64>) {
        for (x, value) in xs.iter().zip(values) {
            self.add(*x, value);
        }
    }

    fn place(&mut self, index: i64) -> usize {
        if self.list.last().is_none_or(|last| last.index < index) {
            self.list.push(Bucket::new(index));
            return self.list.len() - 1;
        }
        match self.list.binary_search_by_key(&index, |bucket| bucket.index) {
            Ok(at) => at,
            Err(at) => {
                self.list.insert(at, Bucket::new(index));
                at
            }
        }
    }

    /// All buckets, or those of `indices` (sorted).
    pub fn columns(&self, only: Option<&[i64]>) -> BucketColumns {
        let wanted = |bucket: &&Bucket| only.is_none_or(|only| only.binary_search(&bucket.index).is_ok());
        let mut columns = BucketColumns { width: self.width.get(), ..BucketColumns::default() };
        for bucket in self.list.iter().filter(wanted) {
            columns.index.push(bucket.index);
            columns.count.push(bucket.count);
            columns.min.push(bucket.min);
            columns.max.push(bucket.max);
            columns.mean.push(bucket.mean());
            columns.last.push(bucket.last);
            columns.nan_count.push(bucket.nan_count);
            columns.first_non_finite.push(bucket.first_non_finite);
        }
        columns
    }
}

#[cfg(test)]
mod tests;
