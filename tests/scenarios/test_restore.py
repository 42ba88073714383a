"""A backup is put back while a training goes on: what the backup lacks comes again from the client, once."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import harness
import notes
import oracle
from harness import wait_until

RUN = "restored"
GROUND = ("log", "vault")
MORE_POINTS = 2_000
COMMAND_SECONDS_MAX = 30
SETTLE_SECONDS_MAX = 90


def test_what_a_backup_lacks_is_sent_again(tmp_path: Path) -> None:
    server, written, until = harness.server(tmp_path / "home"), tmp_path / "notes", tmp_path / "until"
    server.start(0)
    port = int(server.url.rsplit(":", 1)[1])
    arguments = ["trainer.py", "--id", RUN, "--number", "1", "--kind", "plain", "--notes", str(written), "--until", str(until)]
    trainer = harness.script(server.home, server.url, arguments, tmp_path / "trainer.log")
    try:
        query = harness.Query(server.url, server.key())
        _reach(query, MORE_POINTS)
        server.stop()
        _copy(server.data, tmp_path / "backup")
        server.start(port)
        acknowledged = _reach(query, 2 * MORE_POINTS)
        server.stop()

        _copy(tmp_path / "backup", server.data)
        said = _restored(server)
        assert said.returncode == 0, said.stderr
        server.start(port)
        until.touch()
        assert trainer.wait(SETTLE_SECONDS_MAX) == 0, (tmp_path / "trainer.log").read_text()
        kept = notes.read(written)
        assert kept.points > acknowledged, "the training logged on"
        wait_until("all of it is there", SETTLE_SECONDS_MAX, lambda: _points(query) >= kept.points)
        verdict = oracle.judge(RUN, kept, query.raw(RUN, query.metrics(RUN)))
        assert verdict.clean, str(verdict)

        refused = _restored(server)
        assert refused.returncode == 1 and "stop that server first" in refused.stderr, refused
    finally:
        trainer.kill()
        server.stop()


def _reach(query: harness.Query, points: int) -> int:
    wait_until(f"{points} points are there", SETTLE_SECONDS_MAX, lambda: _points(query) >= points)
    return _points(query)


def _points(query: harness.Query) -> int:
    try:
        return int(query.run(RUN)["run"].get("points", 0))
    except RuntimeError:
        # Not opened yet.
        return 0


def _copy(source: Path, target: Path) -> None:
    for name in GROUND:
        shutil.rmtree(target / name, ignore_errors=True)
        shutil.copytree(source / name, target / name)


def _restored(server) -> subprocess.CompletedProcess:
    command = [str(harness.binary()), "log", "restored", "--data-dir", str(server.data)]
    return subprocess.run(command, env=server.env, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=False)
