"""Questions: projects, runs, and the history of metrics as an Arrow table."""

import json
import re
import os
from collections import namedtuple
from datetime import datetime, timezone

from . import _native, _process

Project = namedtuple("Project", "id name created actor runs last_active")
Project.__doc__ = "A project. Times are `datetime`s in UTC."

Metric = namedtuple("Metric", "name step_metric goal count nan_count min max mean last last_step labels")
Metric.__doc__ = "A metric of a run: figures over all points of the living take, by values that are not NaN."

# One answer holds so many series (runs x metrics) at most.
SERIES_MAX = 1_000


def _time(us):
    return None if not us else datetime.fromtimestamp(us / 1e6, timezone.utc)


# A number that is not finite is spelled exactly so; a text of that content has its first letter escaped. Inside of another
# string a quote would have a backslash before it.
_NUMBER = re.compile(r'(?<![^\[,])"(NaN|-?Infinity)"(?![^\],])')


def _exact(text):
    """JSON whose numbers are exact; non-finite ones are strings."""
    return json.loads(_NUMBER.sub(r"\1", text))


class RunInfo:
    """A run as the server has it. `config` is a nested dict, `summary` a flat one; `metrics` only from `Api.run()`."""

    def __init__(self, row):
        for name in ("id", "project_id", "name", "state", "notes", "group", "job_type", "actor", "message", "tags"):
            setattr(self, name, row[name])
        for name in ("exit_code", "take", "max_step", "points", "metric_count", "gap_items"):
            setattr(self, name, row[name])
        self.created, self.last_append, self.finished = (
            _time(row[name]) for name in ("created_us", "last_append_us", "finished_us")
        )
        self.summary = {key: _exact(value) if is_json else value for key, (value, is_json) in row["summary"]}
        self.config = {}
        for path, text in row["config"]:
            node = self.config
            for part in path[:-1]:
                node = node.setdefault(part, {})
            node[path[-1]] = _exact(text)
        metrics = row.get("metrics")
        self.metrics = None if metrics is None else {m["name"]: Metric(*(m.get(f) for f in Metric._fields)) for m in metrics}

    def __repr__(self):
        return f"<corral.RunInfo {self.name} ({self.id}) {self.state}>"


class Api:
    """Asks a server. Answers cover everything that this process knows to be durable when they are asked for.

    url, key: else those of the environment, like `init()`.
    """

    def __init__(self, url=None, key=None):
        self._given = (url, key)
        self._alone = None
        self._shared = None
        self._pid = os.getpid()

    def _query(self):
        if self._pid != os.getpid():
            # A forked child: the connection is its parent's, and what it holds is neither used nor freed here.
            _process._inherited.append((self._alone, self._shared))
            self._alone = self._shared = None
            self._pid = os.getpid()
        client = _process._clients.get(False)
        if self._given == (None, None) and client is not None:
            if self._shared is None or self._shared[0] is not client:
                self._shared = (client, client.query())
            return self._shared[1]
        if self._alone is None:
            self._alone = _native.Query(*self._given)
        return self._alone

    def projects(self):
        """All projects that this key may see."""
        rows = self._pages(lambda token: self._query().projects(token))
        return [
            Project(r["id"], r["name"], _time(r["created_us"]), r["actor"], r["runs"], _time(r["last_active_us"]))
            for r in rows
        ]

    def runs(self, project):
        """The runs of a project (its name or id), newest first."""
        return [RunInfo(row) for row in self._pages(lambda token: self._query().runs(project, token))]

    def run(self, id):
        """One run, with its metrics. KeyError if there is none."""
        return RunInfo(self._query().run(id))

    @staticmethod
    def _pages(ask):
        rows, token = [], ""
        while True:
            page, token = ask(token)
            rows.extend(page)
            if not token:
                return rows

    def history(self, runs, metrics, buckets=None):
        """The points of some metrics of some runs (ids, or what `runs()` gave) as a `pyarrow.Table` in long form.

        Raw: run, metric, label, take, step, time, value; `value` is float64, int64, uint64 or bool, and a union of these
        where the answer mixes them. With `buckets` (how many at most a series): run, metric, label, take, x_min, x_max (the
        first and last step that a bucket covers), count, min, max, mean, last, nan_count, first_non_finite; empty buckets
        are not there, and figures skip NaN.
        """
        from ._arrow import bucket_table, raw_table

        runs = [runs] if isinstance(runs, (str, RunInfo)) else list(runs)
        ids = [getattr(run, "id", run) for run in runs]
        metrics = [metrics] if isinstance(metrics, str) else list(metrics)
        if buckets is not None and buckets < 1:
            raise ValueError("buckets: must be at least 1")
        series = []
        width = max(1, min(len(metrics), SERIES_MAX))
        per_question = max(1, SERIES_MAX // width)
        for first in range(0, len(ids), per_question):
            for at in range(0, len(metrics), width):
                part = (ids[first : first + per_question], metrics[at : at + width], buckets or 0)
                series.extend(self._pages(lambda token: self._query().history(part, token)))
        return bucket_table(series) if buckets else raw_table(series)
