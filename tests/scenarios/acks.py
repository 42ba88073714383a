"""Reads a system call trace of the server and finds acknowledgements that left before their record was safe.

The rule, for every acknowledgement of every writer: some fdatasync of the file that holds the record began after the
write of the record had ended, and ended before the call that sent the acknowledgement began. Records are found by
their run's id in the written bytes, acknowledgements by reading the HTTP/2 frames that were sent; the server's word is
asked nowhere. `test_strace.py` plants an early acknowledgement and demands that it is found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

SYNCS = {"fdatasync", "fsync"}
WRITES = {"pwrite64", "pwritev", "pwritev2", "write", "writev"}
SENDS = {"sendto", "sendmsg", "write", "writev"}
RECEIVES = {"recvfrom", "recvmsg", "read", "readv"}
TRACED = sorted(SYNCS | WRITES | SENDS | RECEIVES)

LINE = re.compile(r"^(\d+)\s+(.*)$")
CALL = re.compile(r"^(\w+)\((\d+)<(.*?)>(?=[,)\s])(.*)$", re.S)
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$", re.S)
RESULT = re.compile(r"=\s+(-?\d+)(?:\s.*)?$")
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
FRAME_DATA = 0
FRAME_HEAD = 9
MESSAGE_HEAD = 5


@dataclass
class Call:
    name: str
    file: str
    arguments: str
    began: int
    ended: int = -1
    result: int = -1

    @property
    def data(self) -> bytes:
        whole = b"".join(bytes.fromhex(text.replace("\\x", "")) for text in TEXT.findall(self.arguments))
        return whole[: max(self.result, 0)]


def calls(trace: str) -> list[Call]:
    """Every call that ended, with the places in the trace where it began and ended."""
    found: list[Call] = []
    open_calls: dict[str, Call] = {}
    for place, line in enumerate(trace.splitlines()):
        whole = LINE.match(line)
        if not whole:
            continue
        thread, text = whole.groups()
        resumed = RESUMED.match(text)
        if resumed:
            call = open_calls.pop(thread, None)
            if call is None:
                continue
            call.arguments += resumed.group(2)
        else:
            parsed = CALL.match(text)
            if not parsed:
                continue
            call = Call(parsed.group(1), _plain(parsed.group(3)), parsed.group(4), began=place)
            if text.endswith("<unfinished ...>"):
                open_calls[thread] = call
                continue
        result = RESULT.search(call.arguments)
        call.ended, call.result = place, int(result.group(1)) if result else -1
        found.append(call)
    return found


def _plain(file: str) -> str:
    """The tracer writes paths as it writes data, bytes in hexadecimal (but "(deleted)" plainly)."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda byte: chr(int(byte.group(1), 16)), file)


@dataclass
class Report:
    acknowledgements: int = 0
    records: int = 0
    syncs: int = 0
    early: list[str] = field(default_factory=list)


@dataclass
class Shape:
    """What the load sent: runs by id, each over a connection of its own, and the last seq of each of its batches."""

    runs: list[str]
    last_seqs: list[int]


def check(trace: str, shape: Shape) -> Report:
    ended = calls(trace)
    safe = _safe_places(ended, shape)
    report = Report(records=sum(map(len, safe.values())), syncs=sum(call.name in SYNCS for call in ended))
    for run, seq, place in _acknowledgements(ended, shape):
        report.acknowledgements += 1
        covered = sum(last <= seq for last in shape.last_seqs)
        records = safe.get(run, [])
        if len(records) < covered:
            report.early.append(f"{run}: seq {seq} was acknowledged, {covered - len(records)} records were never written")
            continue
        for number in range(covered):
            if records[number] is None or records[number] >= place:
                report.early.append(f"{run}: seq {seq} was acknowledged before record {number + 1} was synced")
                break
    return report


def _safe_places(ended: list[Call], shape: Shape) -> dict[str, list[int | None]]:
    """By run: for each of its records in order, the place in the trace from which on it was safe."""
    syncs: dict[str, list[Call]] = {}
    for call in ended:
        if call.name in SYNCS and call.result == 0:
            syncs.setdefault(call.file, []).append(call)
    marks = {run: b"\x1a" + bytes([len(run)]) + run.encode() for run in shape.runs}
    safe: dict[str, list[int | None]] = {}
    # By where they began: calls of one file are made by one thread.
    for call in sorted((call for call in ended if call.name in WRITES), key=lambda call: call.began):
        # A row of the read store may begin, by chance, as a record does; what counts lies in the event log.
        if call.file.startswith(("TCP", "socket")) or "/read-store/" in call.file:
            continue
        data = call.data
        at = min((s.ended for s in syncs.get(call.file, []) if s.began > call.ended), default=None)
        for run, mark in marks.items():
            safe.setdefault(run, []).extend([at] * data.count(mark))
    return safe


def _acknowledgements(ended: list[Call], shape: Shape) -> list[tuple[str, int, int]]:
    """(run, seq, where the call that sent it began), in order."""
    sent: dict[str, Stream] = {}
    owner: dict[str, str] = {}
    found = []
    marks = {run: b"\x12" + bytes([len(run)]) + run.encode() for run in shape.runs}
    for call in sorted(ended, key=lambda call: call.began):
        if not call.file.startswith("TCP"):
            continue
        if call.name in RECEIVES and call.file not in owner:
            data = call.data
            owner.update({call.file: run for run, mark in marks.items() if mark in data})
        if call.name in SENDS:
            stream = sent.setdefault(call.file, Stream())
            found += [(call.file, seq, place) for seq, place in stream.add(call.data, call.began)]
    return [(owner[file], seq, place) for file, seq, place in found if file in owner]


class Stream:
    """The bytes that went out on one connection, read as HTTP/2 and gRPC."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._places: list[tuple[int, int]] = []
        self._taken = 0
        self._messages: dict[int, tuple[bytearray, list[int]]] = {}

    def add(self, data: bytes, place: int) -> list[tuple[int, int]]:
        self._bytes += data
        self._places.append((self._taken + len(self._bytes), place))
        found = []
        while len(self._bytes) >= FRAME_HEAD:
            length = int.from_bytes(self._bytes[:3], "big")
            if len(self._bytes) < FRAME_HEAD + length:
                break
            kind, stream = self._bytes[3], int.from_bytes(self._bytes[5:9], "big")
            payload = bytes(self._bytes[FRAME_HEAD : FRAME_HEAD + length])
            # A frame counts as sent when its first byte is: the earliest that it may have arrived.
            began = next(at for end, at in self._places if end > self._taken)
            if kind == FRAME_DATA:
                found += self._data(stream, payload, began)
            del self._bytes[: FRAME_HEAD + length]
            self._taken += FRAME_HEAD + length
        return found

    def _data(self, stream: int, payload: bytes, place: int) -> list[tuple[int, int]]:
        waiting, places = self._messages.setdefault(stream, (bytearray(), []))
        if not waiting:
            places[:] = [place]
        waiting += payload
        found = []
        while len(waiting) >= MESSAGE_HEAD:
            length = int.from_bytes(waiting[1:5], "big")
            if len(waiting) < MESSAGE_HEAD + length:
                break
            seq = _acknowledged(bytes(waiting[MESSAGE_HEAD : MESSAGE_HEAD + length]))
            if seq is not None:
                found.append((seq, places[0]))
            del waiting[: MESSAGE_HEAD + length]
            places[:] = [place]
        return found


def _acknowledged(message: bytes) -> int | None:
    """The seq of an AppendResponse that is an Ack (field 3; its field 2), else None."""
    for number, value in _fields(message):
        if number == 3 and isinstance(value, bytes):
            return next((seq for name, seq in _fields(value) if name == 2 and isinstance(seq, int)), 0)
    return None


def _fields(message: bytes) -> list[tuple[int, int | bytes]]:
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            found.append((tag >> 3, value))
        elif kind == 2:
            length, at = _varint(message, at)
            found.append((tag >> 3, message[at : at + length]))
            at += length
        else:
            at += 8 if kind == 1 else 4
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at
