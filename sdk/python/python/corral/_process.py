"""What a process has one of: the native client, the list of its runs, what happens at a fork and at the end."""

import atexit
import os
import sys
import threading

from . import _exit, _native

# Runs whose ends are counted; the latest.
ENDS_COUNT_MAX = 100

_lock = threading.RLock()
_clients = {}
_runs = []
# Native objects of a parent process: a child must neither use nor free them.
_inherited = []


def client(offline=False):
    """This process's client, made at its first use."""
    with _lock:
        if offline not in _clients:
            _clients[offline] = _native.Client(offline=offline)
        return _clients[offline]


def launch_id(run):
    """Ranks of one launch join one run: children find its id in the environment. Who opens a run again that it has
    finished begins another launch of it, which is the same one in every rank that does so."""
    launch, made = _native.launch_id()
    if made:
        os.environ["CORRAL_LAUNCH"] = launch
    ends = _ends().get(run, 0)
    return f"{launch}~{ends}" if ends else launch


def ended(run):
    """Counts how often this process has finished a run, for itself and for children."""
    ends = _ends()
    ends[run] = ends.pop(run, 0) + 1
    kept = list(ends.items())[-ENDS_COUNT_MAX:]
    os.environ["CORRAL_ENDED"] = " ".join(f"{name}={count}" for name, count in kept)


def _ends():
    pairs = (pair.split("=", 1) for pair in os.environ.get("CORRAL_ENDED", "").split() if "=" in pair)
    return {name: int(count) for name, count in pairs if count.isdecimal()}


def add(run):
    with _lock:
        _runs.append(run)
        _hook()


def remove(run):
    with _lock:
        if run in _runs:
            _runs.remove(run)


def current():
    """The run that was opened last and is not finished."""
    return _runs[-1] if _runs else None


_hooked = False


def _hook():
    global _hooked
    if not _hooked:
        _hooked = True
        atexit.register(_at_exit)
        _exit.watch()


def _at_exit():
    code, message = _exit.code()
    mine = [run for run in _runs if run._pid == os.getpid()]
    waits = [wait for wait in (run._close(code, message) for run in mine) if wait is not None]
    patience = _exit.Patience()
    try:
        for wait in waits:
            wait(patience)
    finally:
        close()


def close():
    """Ends the shippers; spools of which everything is durable are removed."""
    with _lock:
        clients = list(_clients.values())
        _clients.clear()
    for one in clients:
        one.close()


def _before_fork():
    _lock.acquire()


def _after_fork_in_parent():
    _lock.release()


def _after_fork_in_child():
    global _lock
    _lock = threading.RLock()
    _inherited.extend(_clients.values())
    _clients.clear()
    for run in _runs:
        run._forked(_inherited)


def leave_at_child_exit():
    """`multiprocessing` ends its children without `atexit`: it has a list of its own."""
    if "multiprocessing" in sys.modules:
        from multiprocessing import process, util

        if process.parent_process() is not None:
            util.Finalize(None, _at_exit, exitpriority=0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
