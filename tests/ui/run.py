#!/usr/bin/env python3
"""The page in a real browser, against the real server and the real client. Ends on one line: `N passed, N failed`.

    python tests/ui/run.py [--only TEXT]      cases whose name holds the text
    python tests/ui/run.py --pixel            from log() to the changed pixel, as one line of JSON (a row of `make bench`)

Needs Node, `npm ci` and the generated code in services/web/ui, Chromium, the client in the Python that runs this, and a
server (target/release/corral, or CORRAL_TEST_BIN) that was built after the page. Pictures go to tests/ui/out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS_MAX = 900


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--pixel", action="store_true")
    chosen = parser.parse_args()
    script = [str(HERE / "pixel.mjs")] if chosen.pixel else [str(HERE / "main.mjs"), chosen.only]
    try:
        return subprocess.run(
            ["node", *script], env={**os.environ, "CORRAL_TEST_PYTHON": sys.executable}, timeout=SECONDS_MAX, check=False
        ).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        print(error)
        print("0 passed, 1 failed")
        return 1


if __name__ == "__main__":
    sys.exit(main())
