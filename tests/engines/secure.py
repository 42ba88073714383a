"""Certificates and passwords of a run: made anew each time, worth nothing anywhere else."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .fetch import need_openssl

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:127.0.0.2,IP:127.0.0.3\n"
STORE_PASSWORD = "changeit"


@dataclass(frozen=True)
class Certificates:
    ca: Path
    """The authority that signed the server's certificate, as PEM."""
    other_ca: Path
    """One that did not."""
    store: Path
    """The server's key and certificate, as PKCS#12."""


def make(home: Path) -> Certificates:
    need_openssl()
    home.mkdir(parents=True, exist_ok=True)
    (home / "names").write_text(NAMES)
    for name in ("ca", "other"):
        _openssl(home, ["req", "-x509", *KEY, "-days", "30", "-subj", f"/CN=engines-{name}",
                        "-keyout", f"{name}.key", "-out", f"{name}.pem"])
    _openssl(home, ["req", *KEY, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"])
    _openssl(home, ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                    "-days", "30", "-out", "server.pem", "-extfile", "names"])
    _openssl(home, ["pkcs12", "-export", "-in", "server.pem", "-inkey", "server.key", "-certfile", "ca.pem",
                    "-name", "server", "-passout", f"pass:{STORE_PASSWORD}", "-out", "server.p12"])
    return Certificates(home / "ca.pem", home / "other.pem", home / "server.p12")


def _openssl(home: Path, arguments: list[str]) -> None:
    subprocess.run(["openssl", *arguments], cwd=home, check=True, capture_output=True, stdin=subprocess.DEVNULL)
