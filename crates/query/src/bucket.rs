//! Buckets: powers of two of the x unit, aligned to zero, so that a new point changes one bucket and a range that doubles
//! only merges neighbours.
//!
//! Counts, min and max are exact; nothing is sampled. Points are folded in read order, so equal points give equal bits.

use corral_read_store::piece::Values;

use crate::answer::BucketColumns;

/// The width of buckets: 2^exponent. Of whole units it is at least 1; at exponent 63 there are two buckets: below zero and
/// from zero on. Of values (an x that is a metric's, told by its [`Place`]) it may be a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width {
    exponent: i32,
    values: bool,
}

/// A double's place among all: an integer in the same order, so that an x is one integer whatever its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub i64);

impl Place {
    /// Both zeros have one place; `None` for what is not finite.
    pub fn of(x: f64) -> Option<Self> {
        let bits = (if x == 0.0 { 0.0 } else { x }).to_bits() as i64;
        x.is_finite().then_some(Self(if bits < 0 { bits ^ i64::MAX } else { bits }))
    }

    pub fn x(self) -> f64 {
        f64::from_bits((if self.0 < 0 { self.0 ^ i64::MAX } else { self.0 }) as u64)
    }
}

impl Width {
    const EXPONENT_MAX: i32 = 63;
    const VALUE_EXPONENT_MIN: i32 = -1_000;
    const VALUE_EXPONENT_MAX: i32 = 1_023;
    /// An index has at most as many bits as a double holds exactly.
    const INDEX_BITS: i32 = 52;

    /// The smallest width at which `[min, max]` touches at most `buckets` buckets (2 at the widest, if it crosses zero).
    pub fn covering(min: i64, max: i64, buckets: u32) -> Self {
        // At width 2^e the range touches at most range / 2^e + 2 buckets: start just below where that may be enough.
        let range = i128::from(max) - i128::from(min);
        let narrow = (range / i128::from(buckets.max(1))).checked_ilog2().unwrap_or(0).saturating_sub(1);
        let width = Self { exponent: narrow.try_into().unwrap_or(Self::EXPONENT_MAX), values: false };
        width.widened((min, max), buckets, Self::EXPONENT_MAX)
    }

    /// The same where x is a value: `min` and `max` are places.
    pub fn covering_values(min: i64, max: i64, buckets: u32) -> Self {
        let (low, high) = (Place(min).x(), Place(max).x());
        let magnitude = exponent_of(low.abs().max(high.abs()));
        // Halves: the whole range may be more than a double holds.
        let range = exponent_of(high / 2.0 - low / 2.0) + 1;
        let narrow = (range - exponent_of(f64::from(buckets.max(1))) - 2).max(magnitude - Self::INDEX_BITS);
        let exponent = narrow.clamp(Self::VALUE_EXPONENT_MIN, Self::VALUE_EXPONENT_MAX);
        Self { exponent, values: true }.widened((min, max), buckets, Self::VALUE_EXPONENT_MAX)
    }

    fn widened(mut self, (min, max): (i64, i64), buckets: u32, exponent_max: i32) -> Self {
        while self.exponent < exponent_max && self.touched(min, max) > i128::from(buckets.max(1)) {
            self.exponent += 1;
        }
        self.exponent = self.exponent.min(exponent_max);
        self
    }

    /// How many buckets `[min, max]` touches.
    fn touched(self, min: i64, max: i64) -> i128 {
        i128::from(self.index(max)) - i128::from(self.index(min)) + 1
    }

    /// floor(x / width): an arithmetic shift rounds down below zero too, and scaling by a power of two is exact.
    pub fn index(self, x: i64) -> i64 {
        if !self.values {
            return x >> self.exponent;
        }
        // In halves: the scale of a narrow bucket may be more than a double holds.
        let half = self.exponent / 2;
        let x = Place(x).x();
        let index = (x * 2_f64.powi(-half) * 2_f64.powi(half - self.exponent)).floor();
        // What is below zero stays there, however small.
        if x < 0.0 { index.min(-1.0) as i64 } else { index as i64 }
    }

    /// In whole units; 0 where x is a value.
    pub fn get(self) -> u64 {
        if self.values { 0 } else { 1 << self.exponent }
    }

    /// Where x is a value.
    pub fn of_values(self) -> Option<f64> {
        self.values.then(|| 2_f64.powi(self.exponent))
    }
}

/// floor(log2(x)) of a positive x; that of the least normal one below it.
fn exponent_of(x: f64) -> i32 {
    ((x.to_bits() >> 52) & 0x7ff) as i32 - 1_023
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
    /// The highest x, of whatever value.
    top_x: i64,
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
            top_x: i64::MIN,
            first_non_finite: 0.0,
            non_finite_x: 0,
        }
    }

    fn add(&mut self, x: i64, value: f64) {
        self.count = self.count.saturating_add(1);
        self.top_x = self.top_x.max(x);
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
        let values = self.width.of_values();
        let mut columns =
            BucketColumns { width: self.width.get(), x_width: values.unwrap_or(0.0), ..BucketColumns::default() };
        for bucket in self.list.iter().filter(wanted) {
            columns.index.push(bucket.index);
            columns.count.push(bucket.count);
            columns.min.push(bucket.min);
            columns.max.push(bucket.max);
            columns.mean.push(bucket.mean());
            columns.last.push(bucket.last);
            columns.nan_count.push(bucket.nan_count);
            columns.first_non_finite.push(bucket.first_non_finite);
            columns.x.extend(values.map(|_| Place(bucket.top_x).x()));
        }
        columns
    }
}

#[cfg(test)]
mod tests;
