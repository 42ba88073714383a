"""`make demo`: from a fresh clone to a live page with three trainings on it, in one command.

Names what is missing in the first second, builds what is not up to date, starts the server, prints the link first,
then trains. Ctrl-C ends everything in order; the data stays in `.demo/`. Standard library only: it runs before
anything is installed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

if sys.version_info < (3, 9):
    sys.exit("make demo needs Python >= 3.9; this is " + sys.version.split()[0])

import children
import needs
import server as serving
import steps

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ("adam", "momentum", "hot")
PROJECT = "digits"

TRY = """
  While it trains:
    - drag across a chart to zoom, move the pointer over one to read all, press ? for every key
    - kill -9 {pid}    the server is started again, the trainings do not notice, no point is lost
    - (. {env}; {python} demo/train.py --recipe hot --steps 1000)    a fourth run joins the page
"""


def main() -> int:
    chosen = _arguments()
    clone = steps.Clone(ROOT)
    wanting = needs.missing(ROOT, clone.env)
    if wanting:
        print(needs.report(wanting), file=sys.stderr)
        return 2
    before = _server(clone, chosen)
    if before.find():
        print(f"A demo is running already (process {before.pid}; Ctrl-C ends it where it was started).")
        print(f"\n  Open this:  {landing(before.fresh_link(), PROJECT)}\n")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        print("Getting ready (the first time takes some minutes, later ones seconds).", flush=True)
        steps.build_all(clone, steps.Progress(), chosen.topology == "roles")
        return _serve_and_train(clone, chosen) if not chosen.build_only else 0
    except steps.StepFailed:
        steps.stop_children()
        return 1
    except serving.ServerFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        steps.stop_children()
        print("\nStopped. Nothing is lost: make demo goes on from here.")
        return 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Builds Corral, serves it and trains three small models on it.")
    parser.add_argument("--steps", type=int, default=3000, help="of each training (40 a second)")
    parser.add_argument("--steps-per-second", type=float, default=40.0)
    parser.add_argument("--port", type=int, default=serving.PORT, help="another free one is taken if this is in use")
    parser.add_argument("--home", type=Path, default=ROOT / ".demo", help="for data, keys, spools and logs")
    parser.add_argument("--topology", choices=["embedded", "roles"], default="embedded",
                        help="roles: a process for each, on Kafka and Cassandra (Java 17 and Maven fetch them)")
    parser.add_argument("--build-only", action="store_true", help="build and stop")
    parser.add_argument("--exit-after", action="store_true", help="end when the trainings have ended (or CORRAL_DEMO_EXIT=1)")
    chosen = parser.parse_args()
    chosen.exit_after = chosen.exit_after or os.environ.get("CORRAL_DEMO_EXIT") == "1"
    return chosen


def _server(clone: steps.Clone, chosen: argparse.Namespace) -> serving.Server:
    home = chosen.home.resolve()
    if chosen.topology == "embedded":
        return serving.Server(clone.server, home, clone.env)
    import roles

    return roles.Processes(clone.server, home / "roles", clone.env)


def _serve_and_train(clone: steps.Clone, chosen: argparse.Namespace) -> int:
    server = _server(clone, chosen)
    trainers: list[subprocess.Popen] = []
    try:
        server.start(serving.free_port(chosen.port))
        _greet(server, clone)
        trainers = [_train(recipe, server, clone, chosen) for recipe in RECIPES]
        codes = _wait_for(trainers, server)
        _tell(codes, server)
        while not chosen.exit_after:
            _keep(server)
            time.sleep(0.2)
        return 1 if any(codes) else 0
    except KeyboardInterrupt:
        print("\nEnding the trainings and the server ...", flush=True)
        children.end(trainers)
        server.stop()
        print("Stopped." if chosen.topology == "roles" else
              f"Stopped. The data stays in {_named(server.home)}; make demo shows it again.")
        return 0
    finally:
        children.end(trainers)
        server.stop()


def _greet(server: serving.Server, clone: steps.Clone) -> None:
    print(f"\n  Open this:  {landing(server.link, PROJECT)}\n")
    if "SSH_CONNECTION" in os.environ:
        port = server.url.rsplit(":", 1)[1]
        print(f"  From the machine you sit at:  ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}\n")
    env, python = _named(_write_env(server)), _named(clone.python)
    print(TRY.strip("\n").format(pid=server.pid, env=env, python=python) + "\n", flush=True)


def _named(path: Path) -> str:
    """As seen from the clone, where `make demo` was typed."""
    return str(path.relative_to(ROOT)) if ROOT in path.parents else str(path)


def _write_env(server: serving.Server) -> Path:
    """For a shell: where the demo's server is, its key, and a place for spools inside the clone."""
    path = server.home / "env"
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        for name, value in server.client_env().items():
            out.write(f"export {name}={shlex.quote(value)}\n")
    return path


def landing(link: str, project: str) -> str:
    """The login link, so that it lands on the project's page."""
    page, token = link.split("#", 1)
    return f"{page}?next=/p/{project}#{token}"


def _train(recipe: str, server: serving.Server, clone: steps.Clone, chosen: argparse.Namespace) -> subprocess.Popen:
    command = [str(clone.python), str(ROOT / "demo/train.py"), "--recipe", recipe, "--project", PROJECT]
    command += ["--steps", str(chosen.steps), "--steps-per-second", str(chosen.steps_per_second)]
    # One thread each: three trainings, a server and a browser share this machine.
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    env = {**server.env, **threads, **server.client_env()}
    with (server.home / "log" / f"train-{recipe}.log").open("w") as log:
        return subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _wait_for(trainers: list[subprocess.Popen], server: serving.Server) -> list[int]:
    print(f"  Training three models: {', '.join(RECIPES)}.", flush=True)
    while any(trainer.poll() is None for trainer in trainers):
        _keep(server)
        time.sleep(0.2)
    return [trainer.wait() for trainer in trainers]


def _keep(server: serving.Server) -> None:
    """A server that somebody killed comes back at its address."""
    if not server.alive():
        server.start(int(server.url.rsplit(":", 1)[1]))
        print(f"  The server was killed; it is back as process {server.pid}, and the page goes on by itself.", flush=True)


def _tell(codes: list[int], server: serving.Server) -> None:
    for recipe, code in zip(RECIPES, codes):
        if code:
            print(f"  {recipe}: ended with code {code}; see {_named(server.home)}/log/train-{recipe}.log")
    if not any(codes):
        print("  All three have finished. The page stays until Ctrl-C.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
