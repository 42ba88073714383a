"""No acknowledgement before its fdatasync; and the checker that says so can say otherwise."""

from __future__ import annotations

from pathlib import Path

import acks
import strace

APPENDERS = 64
CALLS = 40


def test_no_acknowledgement_leaves_before_its_fdatasync(tmp_path: Path) -> None:
    report = strace.order(tmp_path, APPENDERS, CALLS)
    assert not report.early, "\n".join(report.early[:10])
    # Opened, metrics, the calls, the end: of every appender, each record seen and its seq acknowledged.
    assert report.records == APPENDERS * (CALLS + 3)
    assert report.acknowledgements >= APPENDERS * CALLS


def test_one_fdatasync_serves_many_acknowledgements(tmp_path: Path) -> None:
    syncs, batches = strace.ratio(tmp_path, APPENDERS, CALLS)
    assert 0 < syncs <= batches * strace.SYNCS_PER_ACK_MAX, f"{syncs} fdatasyncs for {batches} batches"


# -- the checker ----------------------------------------------------------------------------------------------------

CLIENT = "TCP:[127.0.0.1:4870->127.0.0.1:50000]"
RECORD = b"....\x1a\x05run-0...."
OPEN_WRITER = b"....\x12\x05run-0...."


def line(thread: int, name: str, file: str, data: bytes | None = None, result: int | None = None) -> str:
    text = "".join(f"\\x{byte:02x}" for byte in data or b"")
    arguments = f', "{text}", {len(data)}' if data is not None else ""
    answer = (len(data) if data is not None else 0) if result is None else result
    return f"{thread} {name}(7<{file}>{arguments}) = {answer}"


def ack(seq: int) -> bytes:
    inner = bytes([0x08, 0x01, 0x10, seq])
    message = bytes([0x1A, len(inner)]) + inner
    data = b"\x00" + len(message).to_bytes(4, "big") + message
    return len(data).to_bytes(3, "big") + b"\x00\x00" + (1).to_bytes(4, "big") + data


SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
RECEIVED = line(1, "recvfrom", CLIENT, OPEN_WRITER)
WRITE = line(2, "pwrite64", "/data/log/0.seg", RECORD)
SYNC = line(2, "fdatasync", "/data/log/0.seg")
SYNC_BEGINS = "2 fdatasync(7</data/log/0.seg> <unfinished ...>"
SYNC_ENDS = "2 <... fdatasync resumed>) = 0"
ACK = line(1, "writev", CLIENT, SETTINGS + ack(1))
SHAPE = acks.Shape(["run-0"], [1, 2])


def early(*lines: str) -> list[str]:
    report = acks.check("\n".join(lines), SHAPE)
    assert report.acknowledgements == 1
    return report.early


def test_the_right_order_is_accepted() -> None:
    assert not early(RECEIVED, WRITE, SYNC, ACK)
    assert not early(RECEIVED, WRITE, SYNC_BEGINS, SYNC_ENDS, ACK)


def test_an_early_acknowledgement_is_found() -> None:
    assert early(RECEIVED, WRITE, ACK, SYNC)
    assert early(RECEIVED, WRITE, SYNC_BEGINS, ACK, SYNC_ENDS)
    assert early(RECEIVED, SYNC, WRITE, ACK)
    assert early(RECEIVED, SYNC_BEGINS, WRITE.replace("2 ", "3 ", 1), SYNC_ENDS, ACK)
    assert early(RECEIVED, ACK)
    assert early(RECEIVED, WRITE, SYNC.replace("= 0", "= -1 EIO (Input/output error)"), ACK)
    assert early(RECEIVED, WRITE, SYNC.replace("0.seg", "1.seg"), ACK)


def test_only_the_event_log_counts() -> None:
    row = line(3, "write", "/data/read-store/1/0.jnl", RECORD)
    assert not early(RECEIVED, row, WRITE, SYNC, ACK)
    assert early(RECEIVED, row, SYNC.replace("log/0.seg", "read-store/1/0.jnl"), ACK)


def test_an_acknowledgement_in_two_pieces_counts_from_the_first() -> None:
    whole = SETTINGS + ack(1)
    first, second = (line(1, "writev", CLIENT, part) for part in (whole[:12], whole[12:]))
    assert early(RECEIVED, WRITE, first, SYNC, second)
    assert not early(RECEIVED, WRITE, SYNC, first, second)
