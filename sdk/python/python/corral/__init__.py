"""Log what a training does, and see it live.

    import corral

    with corral.init(project="digits", config={"lr": 0.1}) as run:
        for step in range(100):
            run.log({"train/loss": 1 / (step + 1)}, step=step)

`init()` opens a run and returns at once, with or without a server. `log()` writes into a memory-mapped file and returns;
it never waits for a network and never raises. What it returned for survives the process: if that is killed, the next program of the
same user on the same machine that uses corral sends the rest. `corral.Api()` asks questions.

Environment: `CORRAL_URL` (http://127.0.0.1:4870), `CORRAL_API_KEY` (else what the first `corral serve` of this user on this
machine wrote into the credentials file), `CORRAL_CA_FILE` (who vouches for an https server), `CORRAL_PROJECT`, `CORRAL_MODE`
(`online`, `offline`, `disabled`), `CORRAL_DIR` (where the spool lies),
`CORRAL_EXIT_TIMEOUT` (seconds that a program waits at its end for everything to be durable; 60).
"""

from ._api import Api, Metric, Project, RunInfo
from ._native import __version__
from ._run import Run, define_metric, finish, init, log
from . import _process

__all__ = [
    "Api",
    "Metric",
    "Project",
    "Run",
    "RunInfo",
    "__version__",
    "config",
    "define_metric",
    "finish",
    "init",
    "log",
    "run",
    "summary",
]


def __getattr__(name):
    """`corral.run`, `corral.config` and `corral.summary` are those of the run that was opened last; None without one."""
    if name in ("run", "config", "summary"):
        current = _process.current()
        return current if name == "run" or current is None else getattr(current, name)
    raise AttributeError(f"module 'corral' has no attribute {name!r}")
