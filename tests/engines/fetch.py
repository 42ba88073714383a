"""The engines' jars: resolved by Maven from the poms beside this file, then held to the checksums there.

They stay in `.engines/jars`, so only the first run pays: 110 MiB and some 25 s for both engines together.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
HOME = ROOT / ".engines"
FETCH_SECONDS_MAX = 600
COPY = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"
# Cassandra 5 runs on 11 and 17, Kafka 4 on 17 and later.
JAVA = 17


class EngineFailed(Exception):
    """An engine cannot be had, or did not start."""


def jars(engine: str) -> Path:
    """The directory of the engine's jars, which are exactly those that the project names."""
    HOME.joinpath("jars").mkdir(parents=True, exist_ok=True)
    with (HOME / "jars" / f"{engine}.lock").open("w") as lock:
        # Suites start engines of their own: the first fetches, the others wait for it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _jars(engine)


def _jars(engine: str) -> Path:
    expected = _expected(engine)
    kept = HOME / "jars" / engine
    if _found(kept) == expected:
        return kept
    _need("mvn", "maven")
    # Not to stdout, where programs read where the engines are.
    print(f"fetching {engine}: {len(expected)} jars", file=sys.stderr, flush=True)
    fresh = HOME / "jars" / f"{engine}.{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-ntp", "-f", HERE / f"{engine}.pom.xml", COPY,
               "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
    done = subprocess.run(command, env={**os.environ, "JAVA_HOME": str(java_home())}, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=FETCH_SECONDS_MAX, check=False)
    if done.returncode:
        raise EngineFailed(f"Maven could not fetch {engine}:\n{done.stdout}")
    found = _found(fresh)
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise EngineFailed(f"{fresh}: these are not the jars of {engine}.sha256: {', '.join(wrong)}")
    shutil.rmtree(kept, ignore_errors=True)
    fresh.rename(kept)
    return kept


def java_home() -> Path:
    """A Java that both engines run on: JAVA_HOME, what `java` is, or what Debian installed beside it."""
    places = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    if shutil.which("java"):
        places.append(Path(shutil.which("java")).resolve().parent.parent)
    places += sorted(Path("/usr/lib/jvm").glob(f"java-{JAVA}-*"))
    for place in places:
        if _version(place / "bin" / "java") == JAVA:
            return place
    raise EngineFailed(f"Java {JAVA} is missing: apt-get install openjdk-{JAVA}-jre-headless")


def need_openssl() -> None:
    _need("openssl", "openssl")


def _need(command: str, package: str) -> None:
    if not shutil.which(command):
        raise EngineFailed(f"{command} is missing: apt-get install {package}")


def _version(java: Path) -> int:
    try:
        said = subprocess.run([java, "-version"], text=True, capture_output=True, check=False).stderr
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def _expected(engine: str) -> dict[str, str]:
    lines = (HERE / f"{engine}.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def _found(place: Path) -> dict[str, str]:
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in place.glob("*.jar")}
