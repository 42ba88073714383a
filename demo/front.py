"""One address before processes of several roles: what an ingress does by path, done for each connection.

A connection of HTTP/2 whose first call is of the telemetry door goes to the process that takes points; a client of ours has
one for each service. Everything else (the page, its sessions, questions) goes to the process that has the page. Standard library
only.
"""

from __future__ import annotations

import asyncio

from relay import CHUNK_BYTES, Relay, Stream

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEAD_BYTES = 9
HEADERS = 1
LOOK_BYTES_MAX = 64 * 1024
LOOK_SECONDS_MAX = 5
DOOR = "/corral.v1.IngestService/"
# What RFC 7541 makes of the characters of that path: (code, bits).
CODES = {
    "/": (0x18, 6), ".": (0x17, 6), "1": (0x1, 5), "I": (0x64, 7), "S": (0x6E, 7), "a": (0x3, 5), "c": (0x4, 5),
    "e": (0x5, 5), "g": (0x26, 6), "i": (0x6, 5), "l": (0x28, 6), "n": (0x2A, 6), "o": (0x7, 5), "r": (0x2C, 6),
    "s": (0x8, 5), "t": (0x9, 5), "v": (0x77, 7),
}


def packed(text: str) -> bytes:
    """The whole bytes of the Huffman code of a text's beginning."""
    bits = "".join(f"{code:0{count}b}" for code, count in (CODES[char] for char in text))
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8))


def is_door(seen: bytes) -> bool | None:
    """Whether a connection that began so is for the telemetry door; `None`: it has not said yet."""
    if not seen.startswith(PREFACE):
        return None if PREFACE.startswith(seen) else False
    at = len(PREFACE)
    while len(seen) >= at + FRAME_HEAD_BYTES:
        end = at + FRAME_HEAD_BYTES + int.from_bytes(seen[at : at + 3], "big")
        if seen[at + 3] == HEADERS:
            if len(seen) < end:
                return None
            return any(path in seen[at:end] for path in (packed(DOOR), DOOR.encode()))
        at = end
    return None


class Front(Relay):
    """`door` and `rest` are ports of this machine."""

    def __init__(self, port: int, door: int, rest: int) -> None:
        super().__init__(port)
        self._door, self._rest = door, rest

    async def _connected(self, reader: asyncio.StreamReader) -> Stream | None:
        try:
            seen, door = await asyncio.wait_for(_begin(reader), LOOK_SECONDS_MAX)
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._door if door else self._rest)
        except (OSError, asyncio.TimeoutError):
            return None
        back_writer.write(seen)
        return back_reader, back_writer


async def _begin(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """What a peer has said so far, once it is clear whom it wants."""
    seen = b""
    while len(seen) < LOOK_BYTES_MAX:
        more = await reader.read(CHUNK_BYTES)
        seen += more
        door = is_door(seen)
        if door is not None or not more:
            return seen, bool(door)
    return seen, False
