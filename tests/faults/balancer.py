"""What stands before several processes of a role: one address, each connection to the next process that answers.

It passes bytes and looks into nothing, as a load balancer of connections does. A process that dies takes its
connections with it; whoever had one connects again, to another process.
"""

from __future__ import annotations

import asyncio

import harness  # noqa: F401 - it puts the demo's modules, of which the relay is one, on the path
from relay import Relay, Stream

CONNECT_SECONDS_MAX = 1


class Balancer(Relay):
    def __init__(self, backends: list[str]) -> None:
        """`backends`: HOST:PORT each."""
        super().__init__(port=0)
        self._backends = [(host, int(port)) for host, port in (one.rsplit(":", 1) for one in backends)]
        self._turn = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _connected(self, reader: asyncio.StreamReader) -> Stream | None:
        """The next one that takes a connection; nobody does: `None`."""
        for _ in self._backends:
            host, port = self._backends[self._turn % len(self._backends)]
            self._turn += 1
            try:
                return await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_SECONDS_MAX)
            except (OSError, asyncio.TimeoutError):
                continue
        return None
