"""`make dev`: for who works on the page. A server, the page with hot reload in front of it, runs to look at.

Builds what is not up to date (the server without optimizing, unless CORRAL_DEMO_PROFILE says otherwise), keeps its data in
`.demo/dev`, seeds it the first time and keeps two runs live. Ctrl-C ends all three. Standard library only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

if sys.version_info < (3, 9):
    sys.exit("make dev needs Python >= 3.9; this is " + sys.version.split()[0])

os.environ.setdefault("CORRAL_DEMO_PROFILE", "dev")

import children
import needs
import server as serving
import steps

ROOT = Path(__file__).resolve().parent.parent
PAGE_PORT = 5173
PAGE_PORTS_TRIED = 10
PROJECT = "seeded"
LIVE_RUNS = 2
PAGE_START_SECONDS_MAX = 30


def main() -> int:
    clone = steps.Clone(ROOT)
    wanting = needs.missing(ROOT, clone.env)
    if wanting:
        print(needs.report(wanting).replace("make demo", "make dev"), file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = serving.Server(clone.server, clone.home / "dev", clone.env)
    started: list[subprocess.Popen] = []
    try:
        steps.build_all(clone, steps.Progress())
        fresh = not (server.data / "seeded").exists()
        server.start(serving.free_port())
        port = _page_port()
        started = [_page(server, clone, port), _seed(server, clone, fresh)]
        print(f"\n  Open this:  {_link(server, started[0], port)}\n\n  Edit services/web/ui/src; the page follows. Ctrl-C ends it.\n", flush=True)
        return _watch(server, started[0])
    except steps.StepFailed:
        return 1
    except serving.ServerFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        steps.stop_children()
        print("\nEnding the page, the runs and the server ...", flush=True)
        return 0
    finally:
        children.end(started)
        server.stop()


def _page(server: serving.Server, clone: steps.Clone, port: int) -> subprocess.Popen:
    """Hot reload; what is not of the page goes through to the server."""
    command = ["npm", "run", "dev", "--", "--host", "127.0.0.1", "--port", str(port), "--strictPort", "--clearScreen", "false"]
    env = {**clone.env, "CORRAL_URL": server.url}
    return subprocess.Popen(command, cwd=ROOT / steps.UI, env=env, stdin=subprocess.DEVNULL, start_new_session=True)


def _seed(server: serving.Server, clone: steps.Clone, fresh: bool) -> subprocess.Popen:
    command = [str(clone.python), str(ROOT / "demo/seed.py"), "--project", PROJECT]
    command += [] if fresh else ["--runs", str(LIVE_RUNS), "--live", str(LIVE_RUNS)]
    with (server.home / "log/seed.log").open("w") as log:
        child = subprocess.Popen(
            command, env={**server.env, **server.client_env()}, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )
    (server.data / "seeded").touch()
    return child


def _page_port() -> int:
    for port in range(PAGE_PORT, PAGE_PORT + PAGE_PORTS_TRIED):
        if serving.free_port(port):
            return port
    raise serving.ServerFailed(f"none of the ports {PAGE_PORT} to {PAGE_PORT + PAGE_PORTS_TRIED - 1} is free for the page")


def _link(server: serving.Server, page: subprocess.Popen, port: int) -> str:
    """The login link, by way of the page with hot reload."""
    until = time.monotonic() + PAGE_START_SECONDS_MAX
    address = f"http://127.0.0.1:{port}"
    while not _answers(address):
        if page.poll() is not None or time.monotonic() > until:
            raise serving.ServerFailed("the page with hot reload did not start; what it said stands above")
        time.sleep(0.1)
    return f"{address}/login?next=/p/{PROJECT}#{server.link.split('#', 1)[1]}"


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


def _watch(server: serving.Server, page: subprocess.Popen) -> int:
    while server.alive():
        if page.poll() is not None:
            print("The page with hot reload has ended.", file=sys.stderr)
            return 1
        time.sleep(0.3)
    print(f"The server has ended; its log is {server.home}/log/server.log", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
