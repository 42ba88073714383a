"""A disk that fails: the first fdatasync that returns an error ends the server, and nothing acknowledged is lost."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import harness
import notes
import oracle

# Of each thread: the log's writers are past opening then, and in the middle of the work.
FAILS_FROM_CALL = 6
SECONDS_MAX = 60


def test_a_failed_fdatasync_ends_the_server_and_loses_nothing(tmp_path: Path) -> None:
    segments = [tmp_path / f"data/log/p{partition:05}/{0:020}.seg" for partition in range(4)]
    under = ["strace", "-f", "-o", str(tmp_path / "trace.txt"), "-e", "trace=fdatasync"]
    under += ["-e", f"inject=fdatasync:error=EIO:when={FAILS_FROM_CALL}+", "-e", "signal=none"]
    for segment in segments:
        under += ["-P", str(segment)]
    failing = harness.server(tmp_path, under)
    failing.start(0)
    port = int(failing.url.rsplit(":", 1)[1])
    until = tmp_path / "stop"
    arguments = ["trainer.py", "--id", "on-a-bad-disk", "--number", "1", "--kind", "plain"]
    arguments += ["--notes", str(tmp_path / "notes"), "--until", str(until)]
    trainer = harness.script(tmp_path, failing.url, arguments, tmp_path / "trainer.log")
    healthy = harness.server(tmp_path)
    try:
        assert _ends(failing) not in (0, None), "an exit code that says that it failed"
        assert "the event log failed" in (tmp_path / "log/server.log").read_text()
        healthy.start(port)
        query = harness.Query(healthy.url, healthy.key())
        until.touch()
        assert trainer.wait(SECONDS_MAX) == 0, (tmp_path / "trainer.log").read_text()
        kept = notes.read(tmp_path / "notes")
        shown = lambda: query.raw("on-a-bad-disk", query.metrics("on-a-bad-disk"))  # noqa: E731
        harness.wait_until("all points are there", SECONDS_MAX, lambda: len(shown()) >= kept.points)
        verdict = oracle.judge("on-a-bad-disk", kept, shown())
        assert verdict.clean and verdict.found > 0, str(verdict)
    finally:
        trainer.kill()
        failing.kill()
        healthy.stop()


def _ends(server: harness.Server) -> int | None:
    """The server's exit code (strace ends as what it traces), within a bound."""
    began = time.monotonic()
    while server.alive() and time.monotonic() - began < SECONDS_MAX:
        time.sleep(0.05)
    child: subprocess.Popen = server._child
    return child.poll()
