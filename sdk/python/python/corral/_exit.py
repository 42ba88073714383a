"""The end of a run: how the program ended, and a wait for what is not durable yet, with a bar and a limit."""

import os
import sys
import threading
import time

# Without any contact to a server for so long, the rest stays in the spool.
ALONE_SECONDS_MAX = 15.0
TICK_MS = 100

# (exit code, message), once something wants to end the program, and the thread where it did.
_code = None
_thread = None


def watch():
    """Remembers an exception that ends the program, and the code of `sys.exit`. `raise SystemExit(…)` itself passes no
    hook of the interpreter: what it ends looks like a program that came to its last line.
    """
    hook, leave = sys.excepthook, sys.exit

    def excepthook(kind, value, trace):
        global _code, _thread
        interrupted = issubclass(kind, KeyboardInterrupt)
        _code, _thread = (130 if interrupted else 1, describe(kind, value)), threading.get_ident()
        hook(kind, value, trace)

    def exit(status=None):
        global _code, _thread
        _code, _thread = exit_code(status), threading.get_ident()
        leave(status)

    sys.excepthook, sys.exit = excepthook, exit


def goes_on():
    """Somebody logs, opens or ends a run: a `sys.exit` before it was caught, and is not how the program ends. Unless that
    is on its way just now (`finally`, `with`, `atexit`), or it is another thread that still logs.
    """
    global _code
    if _code is None or threading.get_ident() != _thread or not threading.main_thread().is_alive():
        return
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, SystemExit):
            return
        error = error.__context__
    _code = None


def exit_code(status):
    """What `sys.exit(status)` means as (code, message)."""
    if status is None:
        return 0, ""
    if isinstance(status, int):
        return int(status) & 0xFF, ""
    return 1, str(status)


def describe(kind, value):
    try:
        text = str(value)
    except Exception:
        text = ""
    return f"{kind.__name__}: {text}" if text else kind.__name__


def code():
    """(exit code, message) of the program, as far as it is known."""
    return _code or (0, "")


def seconds_max():
    """(limit, limit without contact)"""
    try:
        given = float(os.environ["CORRAL_EXIT_TIMEOUT"])
        return given, given
    except (KeyError, ValueError):
        return 60.0, ALONE_SECONDS_MAX


class Patience:
    """How long the end of a program may wait, in all."""

    def __init__(self):
        self.limit, self.alone_limit = seconds_max()
        self.began = self.contact = time.monotonic()

    def heard(self):
        self.contact = time.monotonic()

    def is_over(self):
        now = time.monotonic()
        return now - self.began >= self.limit or now - self.contact >= self.alone_limit


def drain(run, client, link, patience=None):
    """Waits until everything of a run is durable; says how far it came. Ctrl-C ends the wait and goes on its way."""
    patience = patience or Patience()
    bar, last, interrupt = Bar(), None, None
    try:
        done = run.wait(TICK_MS)
        while not done and not patience.is_over():
            items, sent, durable = run.progress()
            if durable != last or client.trouble() is None:
                last = durable
                patience.heard()
            bar.show(items, sent, durable, client.trouble())
            done = run.wait(TICK_MS)
    except KeyboardInterrupt as error:
        done, interrupt = False, error
    items, sent, durable = run.progress()
    bar.end()
    say(f"sent {sent:,} / durable {durable:,} items" + ("" if done else f" of {items:,}") + f" · {link}")
    if not done:
        say(f"{items - durable:,} items stay in {client.spool_path}; the next program here that uses corral sends them")
    if interrupt is not None:
        raise interrupt


def say(text):
    try:
        print(f"corral: {text}", file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):
        pass


class Bar:
    """One line that is written over on a terminal; a line every few seconds elsewhere. Nothing for what is quick."""

    QUIET_SECONDS = 0.5
    LINE_SECONDS = 5.0

    def __init__(self):
        self.began = time.monotonic()
        self.lines = 0
        self.drawn = False
        self.total = None
        try:
            self.terminal = sys.stderr.isatty()
        except (AttributeError, ValueError):
            self.terminal = False

    def show(self, items, sent, durable, trouble):
        elapsed = time.monotonic() - self.began
        if self.total is None:
            self.total = durable
        if elapsed < self.QUIET_SECONDS:
            return
        done = (durable - self.total) / max(1, items - self.total)
        text = f"sending {durable:,} of {items:,} items, {elapsed:.0f} s"
        if trouble:
            text += f" · {trouble}"
        if self.terminal:
            filled = int(done * 24)
            self._write(f"\r\x1b[Kcorral: [{'█' * filled}{'░' * (24 - filled)}] {text}"[:200])
            self.drawn = True
        elif elapsed >= self.LINE_SECONDS * (self.lines + 1):
            self.lines += 1
            self._write(f"corral: {done:4.0%} {text}\n")

    def end(self):
        if self.drawn:
            self._write("\r\x1b[K")

    def _write(self, text):
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError, UnicodeError):
            self.terminal = False
