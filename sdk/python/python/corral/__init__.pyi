from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, Optional, Union

import pyarrow

__version__: str
run: Optional[Run]
config: Optional[Config]
summary: Optional[Summary]

class Config(MutableMapping[str, Any]):
    def __getitem__(self, key: str) -> Any: ...
    def __setitem__(self, key: str, value: Any) -> None: ...
    def __delitem__(self, key: str) -> None: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: Any) -> None: ...
    def as_dict(self) -> dict[str, Any]: ...

class Summary(MutableMapping[str, Any]):
    def __getitem__(self, key: str) -> Any: ...
    def __setitem__(self, key: str, value: Any) -> None: ...
    def __delitem__(self, key: str) -> None: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...

class Run:
    config: Config
    summary: Summary
    name: str
    @property
    def tags(self) -> tuple[str, ...]: ...
    @tags.setter
    def tags(self, tags: Iterable[str]) -> None: ...
    notes: str
    @property
    def id(self) -> str: ...
    @property
    def project(self) -> str: ...
    @property
    def url(self) -> str: ...
    def log(self, data: Mapping[str, Any], step: Union[int, float, None] = None) -> None: ...
    def define_metric(
        self,
        name: str,
        step_metric: Optional[str] = None,
        goal: Optional[Literal["min", "max"]] = None,
        summary: Optional[Literal["last", "min", "max", "mean", "best", "none"]] = None,
    ) -> None: ...
    def finish(self, exit_code: int = 0, message: str = "") -> None: ...
    def __enter__(self) -> Run: ...
    def __exit__(self, kind: Any, value: Any, trace: Any) -> Literal[False]: ...

class Project(NamedTuple):
    id: str
    name: str
    created: Optional[datetime]
    actor: str
    runs: int
    last_active: Optional[datetime]

class Metric(NamedTuple):
    name: str
    step_metric: str
    goal: Optional[str]
    count: int
    nan_count: int
    min: Optional[float]
    max: Optional[float]
    mean: Optional[float]
    last: Any
    last_step: int
    labels: list[str]

class RunInfo:
    id: str
    project_id: str
    name: str
    state: str
    notes: str
    group: str
    job_type: str
    actor: str
    message: str
    tags: list[str]
    exit_code: Optional[int]
    take: int
    max_step: int
    points: int
    metric_count: int
    gap_items: int
    created: Optional[datetime]
    last_append: Optional[datetime]
    finished: Optional[datetime]
    summary: dict[str, Any]
    config: dict[str, Any]
    metrics: Optional[dict[str, Metric]]

class Api:
    def __init__(self, url: Optional[str] = None, key: Optional[str] = None) -> None: ...
    def projects(self) -> list[Project]: ...
    def runs(self, project: str) -> list[RunInfo]: ...
    def run(self, id: str) -> RunInfo: ...
    def history(
        self,
        runs: Union[str, RunInfo, Iterable[Union[str, RunInfo]]],
        metrics: Union[str, Iterable[str]],
        buckets: Optional[int] = None,
    ) -> pyarrow.Table: ...

def init(
    project: Optional[str] = None,
    name: Optional[str] = None,
    config: Union[Mapping[str, Any], Namespace, None] = None,
    tags: Optional[Iterable[str]] = None,
    notes: Optional[str] = None,
    group: Optional[str] = None,
    job_type: Optional[str] = None,
    id: Optional[str] = None,
    resume: Optional[Literal["allow", "must", "never"]] = None,
    mode: Optional[Literal["online", "offline", "disabled"]] = None,
    label: Optional[str] = None,
) -> Run: ...
def log(data: Mapping[str, Any], step: Union[int, float, None] = None) -> None: ...
def define_metric(
    name: str, step_metric: Optional[str] = None, goal: Optional[str] = None, summary: Optional[str] = None
) -> None: ...
def finish(exit_code: int = 0) -> None: ...
