"""Processes that a command starts in sessions of their own, so that Ctrl-C reaches them only when it says so."""

from __future__ import annotations

import os
import signal
import subprocess
import time

# A training that is interrupted still says goodbye to the server, within a bound of its own.
END_SECONDS_MAX = 70


def end(children: list[subprocess.Popen]) -> None:
    """As Ctrl-C would end them, each with all that it started; killed if they take too long."""
    living = [child for child in children if child.poll() is None]
    for child in living:
        os.killpg(child.pid, signal.SIGINT)
    until = time.monotonic() + END_SECONDS_MAX
    for child in living:
        try:
            child.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
