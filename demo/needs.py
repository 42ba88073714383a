"""What `make demo` needs on the machine, asked in the first second, and the command that gets what is missing.

Standard library only, and Python 3.9: it runs before anything is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ANSWER_SECONDS_MAX = 10
RUST_MIN = (1, 95)


@dataclass(frozen=True)
class Missing:
    what: str
    why: str
    get: str


def missing(root: Path, env: dict[str, str]) -> list[Missing]:
    """Everything that has to be installed first; an empty list means go."""
    found = [_git(), _make(), _compiler(), _rust(root, env), _python(), _node()]
    return [one for one in found if one is not None]


def report(wanting: list[Missing]) -> str:
    lines = ["make demo needs a few things that are not here:", ""]
    for one in wanting:
        lines += [f"  {one.what}: {one.why}", f"      {one.get}"]
    return "\n".join([*lines, "", "Then type `make demo` again."])


def _git() -> Missing | None:
    return None if shutil.which("git") else Missing("git", "not found", _package("git"))


def _make() -> Missing | None:
    return None if shutil.which("make") else Missing("make", "not found", _package("make"))


def _compiler() -> Missing | None:
    if any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        return None
    if sys.platform == "darwin":
        return Missing("C compiler", "no cc, gcc or clang", "xcode-select --install")
    return Missing("C compiler", "no cc, gcc or clang", _package("build-essential", fedora="gcc", arch="base-devel"))


def _rust(root: Path, env: dict[str, str]) -> Missing | None:
    get = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . ~/.cargo/env"
    if not shutil.which("cargo"):
        return Missing("Rust", "cargo not found", get)
    if shutil.which("rustup"):
        return None  # It brings the toolchain that rust-toolchain.toml names.
    found = _version(["cargo", "--version"], env, root)
    if found is not None and found >= RUST_MIN:
        return None
    wanted = ".".join(map(str, RUST_MIN))
    return Missing("Rust", f"cargo {_text(found)} is older than {wanted}, and there is no rustup to bring it", get)


def _python() -> Missing | None:
    get = _package("python3 python3-venv", fedora="python3", arch="python", brew="python")
    if sys.version_info < (3, 9):
        return Missing("Python", f"{sys.version.split()[0]} is older than 3.9", get)
    try:
        import ensurepip  # noqa: F401 - Debian leaves it out of its python3 package
        import venv  # noqa: F401
    except ImportError:
        return Missing("Python's venv", "this python3 cannot make virtual environments", get)
    return None


def _node() -> Missing | None:
    get = "curl -o- https://fnm.vercel.app/install | bash && fnm install 22"
    if sys.platform == "darwin":
        get = "brew install node@22"
    found = _version(["node", "--version"], dict(os.environ), None)
    if found is None or not shutil.which("npm"):
        return Missing("Node", "node and npm not found", get)
    if (20, 19) <= found < (21, 0) or found >= (22, 12):
        return None
    return Missing("Node", f"{_text(found)} is neither ^20.19 nor >= 22.12", get)


def _version(command: list[str], env: dict[str, str], cwd: Path | None) -> tuple[int, int] | None:
    try:
        said = subprocess.run(
            command, env=env, cwd=cwd, capture_output=True, text=True, timeout=ANSWER_SECONDS_MAX, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found.group(1)), int(found.group(2))) if found else None


def _text(version: tuple[int, int] | None) -> str:
    return ".".join(map(str, version)) if version else "(unknown)"


def _package(debian: str, fedora: str = "", arch: str = "", brew: str = "") -> str:
    """The package manager's command on this machine."""
    if shutil.which("apt-get"):
        return f"sudo apt-get install -y {debian}"
    if shutil.which("dnf"):
        return f"sudo dnf install -y {fedora or debian}"
    if shutil.which("pacman"):
        return f"sudo pacman -S --needed {arch or debian}"
    if shutil.which("brew"):
        return f"brew install {brew or debian}"
    return f"install {debian} with your package manager"
