"""Building what the demo runs: the page, the server, the Python client; each only if its sources changed.

A step is up to date when the hash of its sources is the one in its stamp and what it makes is there. Everything is
written inside the clone: `target/`, `services/web/ui/{node_modules,dist}` and `.demo/`. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

PROFILE = os.environ.get("CORRAL_DEMO_PROFILE", "release")
UI = "services/web/ui"
SKIPPED_DIRECTORIES = {"node_modules", "dist", "gen", "target", "__pycache__", ".pytest_cache", "out"}
TAIL_LINES = 30
QUIET_SECONDS = 15


class StepFailed(Exception):
    """A command failed; its log has been named."""


@dataclass
class Clone:
    """Where things are in this clone, and the environment that keeps tools inside it."""

    root: Path
    home: Path = field(init=False)
    env: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.home = self.root / ".demo"
        self.env = self._environment()

    @property
    def server(self) -> Path:
        return self.root / "target" / ("debug" if PROFILE == "dev" else PROFILE) / "corral"

    @property
    def python(self) -> Path:
        return self.home / "venv" / "bin" / "python"

    def _environment(self) -> dict[str, str]:
        """Caches go inside the clone too, unless somebody has chosen another place for them."""
        env = dict(os.environ)
        env["CARGO_TARGET_DIR"] = str(self.root / "target")
        env.setdefault("npm_config_cache", str(self.home / "cache/npm"))
        env.setdefault("PIP_CACHE_DIR", str(self.home / "cache/pip"))
        env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
        if "CARGO_HOME" not in env:
            env["CARGO_HOME"] = str(self._cargo_home())
        if "RUSTUP_HOME" not in env and shutil.which("rustup") and not self._toolchain_is_there(env):
            env["RUSTUP_HOME"] = str(self.home / "rustup")
        return env

    def _cargo_home(self) -> Path:
        """A cargo home of our own that keeps the user's registry settings."""
        ours, theirs = self.home / "cargo", Path.home() / ".cargo"
        ours.mkdir(parents=True, exist_ok=True)
        for name in ("config.toml", "config", "credentials.toml"):
            if (theirs / name).exists() and not (ours / name).exists():
                (ours / name).symlink_to(theirs / name)
        return ours

    def _toolchain_is_there(self, env: dict[str, str]) -> bool:
        asked = {**env, "RUSTUP_AUTO_INSTALL": "0"}
        answer = subprocess.run(["rustc", "--version"], cwd=self.root, env=asked, capture_output=True, check=False)
        return answer.returncode == 0


def fingerprint(root: Path, sources: list[str], extra: str = "") -> str:
    """A hash over the names and contents of files and directories."""
    seen = hashlib.sha256(extra.encode())
    for source in sources:
        for path in _files(root / source):
            seen.update(str(path.relative_to(root)).encode() + b"\0")
            seen.update(hashlib.sha256(path.read_bytes()).digest())
    return seen.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = []
    for directory, names, files in os.walk(path):
        names[:] = sorted(name for name in names if name not in SKIPPED_DIRECTORIES)
        found += [Path(directory) / name for name in sorted(files) if not name.endswith((".pyc", ".so"))]
    return found


@dataclass
class Step:
    """One thing to build: what it is made from, what it makes, and the commands."""

    name: str
    made: Path
    sources: list[str]
    commands: list[list[str]]
    directory: Path
    extra: str = ""
    # Runs beside another one, which has the moving line.
    beside: bool = False

    def run(self, clone: Clone, progress: Progress) -> None:
        stamp = clone.home / "stamps" / self.name
        now = fingerprint(clone.root, self.sources, self.extra + repr(self.commands))
        if self.made.exists() and stamp.exists() and stamp.read_text() == now:
            return
        began = time.monotonic()
        log = clone.home / "log" / f"build-{self.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as out:
            for command in self.commands:
                _run(command, self, clone, out, progress)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(now)
        progress.done(self.name, time.monotonic() - began)


class Progress:
    """One moving line on a terminal, a line every so often elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._lock = threading.Lock()
        self._last = time.monotonic()

    def moving(self, name: str, text: str, seconds: float) -> None:
        with self._lock:
            line = f"  {name:<8} {seconds:4.0f} s  {text}"
            if self._terminal:
                width = shutil.get_terminal_size().columns - 1
                sys.stdout.write("\r\x1b[2K" + line[:width])
            elif time.monotonic() - self._last > QUIET_SECONDS:
                self._last = time.monotonic()
                sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def done(self, name: str, seconds: float) -> None:
        self.say(f"  {name:<8} {seconds:4.0f} s  done")

    def say(self, text: str) -> None:
        with self._lock:
            sys.stdout.write(("\r\x1b[2K" if self._terminal else "") + text + "\n")
            sys.stdout.flush()


CHILDREN: set[subprocess.Popen] = set()


def stop_children() -> None:
    """Ends the builds that are running, with everything that they started."""
    for child in list(CHILDREN):
        try:
            os.killpg(child.pid, signal.SIGTERM)
        except ProcessLookupError:
            continue


def _run(command: list[str], step: Step, clone: Clone, out, progress: Progress) -> None:
    began, compiled = time.monotonic(), 0
    out.write("$ " + " ".join(command) + "\n")
    child = subprocess.Popen(
        command, cwd=step.directory, env=clone.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    )
    CHILDREN.add(child)
    try:
        for line in child.stdout:
            out.write(line)
            compiled += line.lstrip().startswith("Compiling ")
            said = f"{compiled} crates, {line.split()[1]}" if "Compiling " in line and compiled else line.strip()
            if said and not step.beside:
                progress.moving(step.name, said, time.monotonic() - began)
        code = child.wait()
    finally:
        CHILDREN.discard(child)
    out.flush()
    if code != 0:
        tail = Path(out.name).read_text(errors="replace").splitlines()[-TAIL_LINES:]
        progress.say("\n".join(["", *tail, "", f"building the {step.name} failed; the whole of it is in {out.name}"]))
        raise StepFailed(step.name)


def python_step(clone: Clone) -> Step:
    requirements = "demo/requirements.txt"
    make = [sys.executable, "-m", "venv", "--clear", str(clone.home / "venv")]
    fill = [str(clone.python), "-m", "pip", "install", "--progress-bar", "off", "-r", requirements]
    return Step("python", clone.python, [requirements], [make, fill], clone.root, sys.version, beside=True)


def page_step(clone: Clone) -> Step:
    install = ["npm", "ci", "--no-audit", "--no-fund"]
    commands = [install, ["npm", "run", "build"]]
    return Step("page", clone.root / UI / "dist/index.html", [UI, "proto"], commands, clone.root / UI)


def server_step(clone: Clone, clusters: bool) -> Step:
    """After the page, which it carries inside. Without the clients of Kafka and CQL unless they are needed: they take minutes
    to build and want headers that not every machine has."""
    page = fingerprint_of_tree(clone.root / UI / "dist")
    command = ["cargo", "build", "--locked", "--profile", PROFILE, "-p", "corral-server"]
    command += [] if clusters else ["--no-default-features"]
    extra = page + (" with clusters" if clusters else "")
    return Step("server", clone.server, [*RUST, "services"], [command], clone.root, extra=extra)


def client_step(clone: Clone) -> Step:
    wheels = clone.home / "wheels"
    build = [str(clone.home / "venv/bin/maturin"), "build", "--locked", "--profile", PROFILE]
    build += ["-m", "sdk/python/Cargo.toml", "-i", str(clone.python), "-o", str(wheels)]
    install = [str(clone.python), "-m", "pip", "install", "--no-index", "--no-deps", "--force-reinstall"]
    install += ["--find-links", str(wheels), "corral"]
    clear = [str(clone.python), "-c", f"import shutil; shutil.rmtree({str(wheels)!r}, ignore_errors=True)"]
    # The stamp is of no use with another virtual environment.
    made_in = (clone.home / "stamps/python").read_text()
    return Step("client", clone.python, [*RUST, "sdk/python"], [clear, build, install], clone.root, extra=made_in)


RUST = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "crates", "proto"]


def fingerprint_of_tree(path: Path) -> str:
    seen = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            seen.update(str(file.relative_to(path)).encode() + b"\0" + file.read_bytes())
    return seen.hexdigest()


def build_all(clone: Clone, progress: Progress, clusters: bool = False) -> None:
    """Page, then server, while Python's packages come from the network; then the client's wheel."""
    failed: list[BaseException] = []

    def packages() -> None:
        try:
            python_step(clone).run(clone, progress)
        except BaseException as error:  # handed to the caller's thread below
            failed.append(error)

    beside = threading.Thread(target=packages, daemon=True)
    beside.start()
    page_step(clone).run(clone, progress)
    server_step(clone, clusters).run(clone, progress)
    beside.join()
    if failed:
        raise failed[0]
    client_step(clone).run(clone, progress)
