"""Runs: opening, logging, finishing."""

import os
import re

from . import _exit, _native, _process
from ._tree import Config, Summary, leaves, plain

# How long `init(resume="must")` and `"never"` wait for their check.
OPENED_MS_MAX = 10_000
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


def init(
    project=None,
    name=None,
    config=None,
    tags=None,
    notes=None,
    group=None,
    job_type=None,
    id=None,
    resume=None,
    mode=None,
    label=None,
):
    """Opens a run and returns it, without waiting for a server.

    project: its name; made if there is none (`CORRAL_PROJECT`, else "uncategorized").
    name: for people; two words and a number if not given.
    config: a dict (or `argparse.Namespace`, dataclass) of what the run was given.
    id: 1 to 64 of `[A-Za-z0-9._-]`, unique in the organization; made if not given.
    resume: what happens if the id exists. None: processes of one launch join the run, another launch opens a new take of
        its history. "allow": go on. "must": refused if it does not exist. "never": refused if it does. The last two wait
        up to 10 s for their answer.
    mode: "online", "offline" (files in `CORRAL_DIR/offline`; there is no command yet that sends them), "disabled" (nothing
        at all); else `CORRAL_MODE`.
    label: gives this process series of its own where ranks log the same metrics.

    Raises ValueError or TypeError for arguments that no server would take (or a `CORRAL_URL` that leads nowhere), and
    RuntimeError for a `resume` that was answered with no; never because of a server or a disk.
    """
    mode = mode or os.environ.get("CORRAL_MODE") or "online"
    if mode not in ("online", "offline", "disabled"):
        raise ValueError(f'mode: {mode!r} is none of "online", "offline", "disabled"')
    if resume not in (None, "allow", "must", "never"):
        raise ValueError(f'resume: {resume!r} is none of None, "allow", "must", "never"')
    if id is not None and (not isinstance(id, str) or not _ID.match(id) or id in (".", "..")):
        raise ValueError("id: must be 1 to 64 of [A-Za-z0-9._-]")
    if isinstance(tags, str):
        raise TypeError("tags: must be a list of strings, not a string")
    what = {
        "project": project or os.environ.get("CORRAL_PROJECT") or "uncategorized",
        "id": id or _native.new_run_id(),
        "resume": resume,
        "label": label,
        "name": name or _native.new_run_name(),
        "notes": notes,
        "group": group,
        "job_type": job_type,
    }
    for key, value in what.items():
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{key}: must be a string")
    run = Run(what, [str(tag) for tag in tags or ()], {} if config is None else plain(config), mode)
    if run._native is not None and resume in ("must", "never") and mode == "online":
        opened = run._native.wait_opened(OPENED_MS_MAX)
        if opened is not None and opened[0] == "refused":
            _process.remove(run)
            raise RuntimeError(f"run {run.id} was refused: {opened[1]}")
    return run


class Run:
    """A run that is being logged. Made by `corral.init()`."""

    def __init__(self, what, tags, config, mode):
        self._what = {**what, "launch_id": _process.launch_id(what["id"])} if mode != "disabled" else what
        self._tags = tags
        self._mode = mode
        self._native = None
        self._client = None
        self._pid = os.getpid()
        self._child = False
        self._finished = False
        if not isinstance(config, dict):
            raise TypeError("config: must be a dict, an argparse.Namespace or a dataclass")
        self.config = Config(config, send=lambda entries: self._tell("set_config", entries))
        self.summary = Summary(lambda entries: self._tell("set_summary", entries))
        self._open(config)
        if self._native is not None:
            _process.add(self)
            where = self.url
            if mode == "offline":
                where = f"{self._client.spool_path} (offline): nothing sends these files yet, keep them"
            _exit.say(f"run {self.name} · {where}")

    def _open(self, config):
        _exit.goes_on()
        if self._mode == "disabled":
            return
        try:
            self._client = _process.client(self._mode == "offline")
            self._native = self._client.open_run(self._what, self._tags, list(leaves(config)))
        except (OSError, RuntimeError) as error:
            # A disk that takes nothing must not end a training.
            _exit.say(f"nothing will be logged: {error}")
            self._client = self._native = None

    def _forked(self, inherited):
        """In a forked child: the parent's objects are left alone, and the next use opens a writer of its own."""
        inherited.extend((self._native, self._client))
        self._native = self._client = None
        self._child = True

    def _writer(self):
        """The native run, after a fork a new one."""
        if self._native is None and self._child and not self._finished and self._pid != os.getpid():
            self._pid = os.getpid()
            self._what = {**self._what, "resume": None}
            self._open({})
            _process.leave_at_child_exit()
        return self._native

    def _tell(self, method, entries):
        native = self._writer()
        if native is not None:
            try:
                getattr(native, method)(entries)
            except Exception as error:
                native.warn(f"{method}: {error}")

    @property
    def id(self):
        """Unique in the organization."""
        return self._what["id"]

    @property
    def name(self):
        """For people; may be changed."""
        return self._what["name"]

    @name.setter
    def name(self, name):
        if not isinstance(name, str):
            raise TypeError("name: must be a string")
        self._set(name=name)
        self._what["name"] = name

    @property
    def project(self):
        return self._what["project"]

    @property
    def url(self):
        """Where the run is seen, known without a server."""
        url = self._client.url if self._client is not None else _native.default_url()
        return f"{url}/r/{self.id}"

    @property
    def tags(self):
        return tuple(self._tags)

    @tags.setter
    def tags(self, tags):
        tags = [str(tag) for tag in tags]
        self._set(tags=tags)
        self._tags = tags

    @property
    def notes(self):
        return self._what["notes"] or ""

    @notes.setter
    def notes(self, notes):
        notes = "" if notes is None else notes
        self._set(notes=notes)
        self._what["notes"] = notes

    def _set(self, **change):
        native = self._writer()
        if native is not None:
            try:
                native.set_attributes(**change)
            except RuntimeError as error:
                native.warn(f"{', '.join(change)}: a change of the run was not kept: {error}")

    def log(self, data, step=None):
        """Logs a dict of values. Never waits for a network, never raises; what cannot be kept is warned about, on stderr.

        Values: int, float, bool, str, None (skipped), Decimal, numpy and torch scalars; nested dicts are joined
        (`{"a": {"b": 1}}` is `a.b`; where a name comes twice the last in the dict wins). Without `step` each call counts on
        from the one before; a step that is no whole number becomes the metric `step`, the x axis of the run's metrics.
        """
        if _exit._code is not None:
            _exit.goes_on()
        try:
            self._native.log(data, step)
        except Exception as error:
            self._log_again(data, step, error)
        except _native.PanicException as error:
            _exit.say(f"log(): {error}")

    def _log_again(self, data, step, error):
        """After a fork, a finish, or something that was not foreseen."""
        if self._finished or self._mode == "disabled":
            return
        if isinstance(error, AttributeError) and self._native is None:
            native = self._writer()
            if native is not None:
                self.log(data, step)
            return
        self._native.warn(f"log(): {error}")

    def define_metric(self, name, step_metric=None, goal=None, summary=None):
        """Says what a metric is: its x axis (another metric, logged in the same calls), whether small or large is good ("min",
        "max"), and which figure of it the summary shows ("last", "min", "max", "mean", "best", "none"). `name` may end in `*`.
        """
        native = self._writer()
        if native is None:
            return
        try:
            native.define_metric(name, step_metric or "", goal, summary)
        except RuntimeError as error:
            native.warn(f"define_metric(): {error}")

    def finish(self, exit_code=0, message=""):
        """Ends the run and waits, within a limit, until everything is durable. Doing it twice is harmless."""
        _exit.goes_on()
        self._end(int(exit_code), message)

    def _end(self, exit_code, message=""):
        wait = self._close(exit_code, message)
        if wait is not None:
            wait(None)

    def _close(self, exit_code, message=""):
        """Writes the run's last item; returns what waits for it, if there is something to wait for."""
        if self._finished:
            return None
        self._finished = True
        _process.remove(self)
        native, client = self._native, self._client
        if native is None or self._pid != os.getpid():
            return None
        try:
            if self._child:
                # A child takes part in its parent's run: its end is not the run's.
                native.leave()
            else:
                native.finish(exit_code, message)
                _process.ended(self.id)
        except RuntimeError as error:
            native.warn(f"finish(): {error}")
        if self._mode == "offline":
            _exit.say(f"{native.progress()[0]:,} items in {client.spool_path}")
            return None
        return lambda patience: _exit.drain(native, client, self.url, patience)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self._end(0)
        elif issubclass(kind, SystemExit):
            self._end(*_exit.exit_code(value.code))
        else:
            self._end(130 if issubclass(kind, KeyboardInterrupt) else 1, _exit.describe(kind, value))
        return False

    def __repr__(self):
        return f"<corral.Run {self.name} ({self.id}) of {self.project}>"


def log(data, step=None):
    """`Run.log` of the run that was opened last; without one, nothing."""
    run = _process.current()
    if run is not None:
        run.log(data, step)


def define_metric(name, step_metric=None, goal=None, summary=None):
    """`Run.define_metric` of the run that was opened last."""
    run = _process.current()
    if run is not None:
        run.define_metric(name, step_metric, goal, summary)


def finish(exit_code=0):
    """Ends the run that was opened last."""
    run = _process.current()
    if run is not None:
        run.finish(exit_code)
