"""The training script of the crash scenario, with a thread that notes how far the client's acknowledgements are.

A line each time: the machine's monotonic clock, items that `log()` returned for, items that are durable. Run by
`load.py`; the flags are those of `trainer.py`, before them the file for these lines.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))

import corral  # noqa: E402
import trainer  # noqa: E402

LOOK_SECONDS = 0.05


def watch(run: corral.Run, path: Path) -> None:
    with path.open("w", buffering=1) as out:
        while True:
            items, _, durable = run._native.progress()
            out.write(f"{time.monotonic():.3f} {items} {durable}\n")
            time.sleep(LOOK_SECONDS)


def main() -> None:
    path, init = Path(sys.argv.pop(1)), corral.init

    def watched(**what: object) -> corral.Run:
        run = init(**what)
        threading.Thread(target=watch, args=(run, path), daemon=True).start()
        return run

    corral.init = watched
    trainer.main()


if __name__ == "__main__":
    main()
