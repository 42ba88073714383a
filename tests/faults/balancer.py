"""What stands before several processes of a role: one address, each connection to the next process that answers.

It passes bytes and looks into nothing, as a load balancer of connections does. A process that dies takes its
connections with it; whoever had one connects again, to another process.
"""

from __future__ import annotations

import asyncio
import threading

CHUNK_BYTES = 256 * 1024
CONNECT_SECONDS_MAX = 1


class Balancer:
    def __init__(self, backends: list[str]) -> None:
        """`backends`: HOST:PORT each."""
        self._backends = [(host, int(port)) for host, port in (one.rsplit(":", 1) for one in backends)]
        self._turn = 0
        self._loop = asyncio.new_event_loop()
        self._port = 0
        self._began = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._thread.start()
        self._began.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._port = server.sockets[0].getsockname()[1]
        self._began.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backend = await self._connected()
        if backend is None:
            writer.close()
            return
        back_reader, back_writer = backend
        ways = [asyncio.ensure_future(_pump(reader, back_writer)), asyncio.ensure_future(_pump(back_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            writer.close()
            back_writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The next one that takes a connection; nobody does: `None`."""
        for _ in self._backends:
            host, port = self._backends[self._turn % len(self._backends)]
            self._turn += 1
            try:
                return await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_SECONDS_MAX)
            except (OSError, asyncio.TimeoutError):
                continue
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except OSError:
        # One side is gone: the other one hears it by its connection's end.
        return
