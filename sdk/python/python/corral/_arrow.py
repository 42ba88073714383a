"""Columns of an answer as Arrow tables, without copying a value through Python."""

try:
    import pyarrow as pa
except ImportError as error:  # pragma: no cover - said when it is asked for
    raise ImportError("history() answers Arrow tables: pip install pyarrow") from error


def _column(kind, rows, data):
    return pa.Array.from_buffers(kind, rows, [None, pa.py_buffer(data)])


def _values(kind, rows, data):
    """Exact: a float32 is a float64 too, all others stay what they are."""
    if kind == "bool":
        return _column(pa.uint8(), rows, data).cast(pa.bool_())
    types = {"f64": pa.float64(), "f32": pa.float32(), "i64": pa.int64(), "u64": pa.uint64()}
    column = _column(types[kind], rows, data)
    return column.cast(pa.float64()) if kind == "f32" else column


def _names(series):
    """The columns that say whose a row is; texts as dictionaries."""
    columns = {}
    for name in ("run", "metric", "label"):
        texts = {text: at for at, text in enumerate(dict.fromkeys(one[name] for one in series))}
        parts = [pa.repeat(pa.scalar(texts[one[name]], pa.int32()), one["rows"]) for one in series]
        indices = pa.concat_arrays(parts) if parts else pa.array([], pa.int32())
        columns[name] = pa.DictionaryArray.from_arrays(indices, pa.array(list(texts), pa.string()))
    takes = [pa.repeat(pa.scalar(one["take"], pa.uint32()), one["rows"]) for one in series]
    columns["take"] = pa.concat_arrays(takes) if takes else pa.array([], pa.uint32())
    return columns


def _joined(parts, kind):
    return pa.concat_arrays(parts) if parts else pa.array([], kind)


def _union(parts):
    """One array of parts that differ in type."""
    kinds = list(dict.fromkeys(part.type for part in parts))
    children, ids, offsets = {kind: [] for kind in kinds}, [], []
    filled = {kind: 0 for kind in kinds}
    for part in parts:
        children[part.type].append(part)
        ids.append(pa.repeat(pa.scalar(kinds.index(part.type), pa.int8()), len(part)))
        begin = filled[part.type]
        offsets.append(pa.array(range(begin, begin + len(part)), pa.int32()))
        filled[part.type] = begin + len(part)
    arrays = [pa.concat_arrays(children[kind]) for kind in kinds]
    return pa.UnionArray.from_dense(pa.concat_arrays(ids), pa.concat_arrays(offsets), arrays, [str(kind) for kind in kinds])


def raw_table(series):
    """run, metric, label, take, step, time, value"""
    series = [one for one in series if one["rows"]]
    columns = _names(series)
    columns["step"] = _joined([_column(pa.int64(), one["rows"], one["steps"]) for one in series], pa.int64())
    when = pa.timestamp("us", "UTC")
    columns["time"] = _joined([_column(when, one["rows"], one["times_us"]) for one in series], when)
    values = [_values(*part) for one in series for part in one["values"]]
    mixed = len({part.type for part in values}) > 1
    columns["value"] = _union(values) if mixed else _joined(values, pa.float64())
    return pa.table(columns)


def bucket_table(series):
    """run, metric, label, take, x_min, x_max, count, min, max, mean, last, nan_count, first_non_finite"""
    import pyarrow.compute as pc

    series = [one for one in series if one["rows"]]
    columns = _names(series)
    lows, highs = [], []
    for one in series:
        width = one["width"]
        begins = [index * width for index in _column(pa.int64(), one["rows"], one["index"]).to_pylist()]
        # The outermost buckets reach beyond the numbers that there are.
        lows.append(pa.array([max(begin, -(2**63)) for begin in begins], pa.int64()))
        highs.append(pa.array([min(begin + width - 1, 2**63 - 1) for begin in begins], pa.int64()))
    columns["x_min"], columns["x_max"] = _joined(lows, pa.int64()), _joined(highs, pa.int64())
    for name in ("count", "min", "max", "mean", "last", "nan_count", "first_non_finite"):
        kind = pa.uint32() if name.endswith("count") else pa.float64()
        columns[name] = _joined([_column(kind, one["rows"], one[name]) for one in series], kind)
    none = pc.is_finite(columns["first_non_finite"])
    columns["first_non_finite"] = pc.if_else(none, pa.scalar(None, pa.float64()), columns["first_non_finite"])
    return pa.table(columns)
