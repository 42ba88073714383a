//! A value of a run's config or summary, exact: 2^53 + 1, u64::MAX, NaN and -0.0 survive.

/// A JSON-like value whose numbers keep their type.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Null,
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    Text(String),
    List(Vec<Scalar>),
}

/// One leaf of a config: keys keep their path (`{"a": {"b": 1}}` is not `{"a.b": 1}`).
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigEntry {
    pub path: Vec<String>,
    /// `None` removes the path.
    pub value: Option<Scalar>,
}
