"""`make demo` as a person gets it, shortened: it builds what is missing, the link answers, three runs finish."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import harness

PROJECT = "digits"
STEPS = 150
LINK = re.compile(r"Open this:\s+(\S+)")
END_SECONDS_MAX = 1800


def test_make_demo_shows_three_trainings(tmp_path: Path) -> None:
    command = [sys.executable, "demo/run.py", "--exit-after", "--home", str(tmp_path)]
    command += ["--steps", str(STEPS), "--steps-per-second", "100", "--port", "0"]
    # What `make test` has built is used; without this the demo keeps a cargo home of its own.
    env = {"CARGO_HOME": str(Path.home() / ".cargo"), **os.environ}
    demo = subprocess.Popen(command, cwd=harness.ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = []
    for line in demo.stdout:
        said.append(line)
        found = LINK.search(line)
        if found:
            _log_in(found.group(1))
    assert demo.wait(END_SECONDS_MAX) == 0, "".join(said)
    assert any("Open this:" in line for line in said), "".join(said)
    _look_at(tmp_path)


def _log_in(link: str) -> None:
    """What the page does with the link: it loads, and its token opens a session once."""
    page, token = link.split("#", 1)
    with urllib.request.urlopen(page, timeout=10) as answer:
        assert answer.status == 200 and b"<html" in answer.read().lower()
    base = page.split("/login", 1)[0]
    body = json.dumps({"token": token}).encode()
    asked = urllib.request.Request(
        base + "/api/login", body, {"Content-Type": "application/json", "Origin": base}, method="POST"
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 200 and json.loads(answer.read())["session_value"]
        assert "HttpOnly" in answer.headers["Set-Cookie"]


def _look_at(home: Path) -> None:
    """The data stays: another server on it shows three finished runs with every point."""
    server = harness.server(home)
    try:
        server.start(0)
        query = harness.Query(server.url, server.key())
        runs = query.post("ListRuns", {"project": PROJECT})["runs"]
        assert [run["state"] for run in runs] == ["RUN_STATE_FINISHED"] * 3
        assert len({run["name"] for run in runs}) == 3
        for run in runs:
            shown = query.raw(run["id"], ["train/loss", "val/accuracy"])
            steps = sorted(point.step for point in shown if point.metric == "train/loss")
            assert steps == list(range(STEPS))
            assert len(shown) == STEPS + len([step for step in range(STEPS) if step % 10 == 0 or step == STEPS - 1])
    finally:
        server.stop()
