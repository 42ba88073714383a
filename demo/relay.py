"""One address before several processes: each connection goes whole to one of them, bytes as they are.

Whom it goes to is for the kinds of relay to say. Standard library only.
"""

from __future__ import annotations

import asyncio
import threading

CHUNK_BYTES = 256 * 1024

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """Runs on a thread of its own. `port` 0: any free one."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._began = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    async def _connected(self, reader: asyncio.StreamReader) -> Stream | None:
        """Whom this peer is connected to, with what it has said so far already sent on; `None`: nobody takes it."""
        raise NotImplementedError

    def start(self) -> None:
        self._thread.start()
        self._began.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self.port = server.sockets[0].getsockname()[1]
        self._began.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back = await self._connected(reader)
        if back is None:
            writer.close()
            return
        back_reader, back_writer = back
        ways = [asyncio.ensure_future(_pump(reader, back_writer)), asyncio.ensure_future(_pump(back_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            writer.close()
            back_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except OSError:
        # One side is gone: the other one hears it by its connection's end.
        return
