"""An HTTP server on loopback for the tests of gateways and webhooks: keeps what it receives, answers by a script."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

SILENCE = "SILENCE"
"""The server takes the request and says nothing until the client gives up."""
CLOSE = "CLOSE"
"""The server takes the request and hangs up."""


@dataclass
class Received:
    """One request, read whole."""

    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Reply:
    """What the server answers."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] | None = None


Script = Callable[[Received], Reply | str]


class Gateway:
    """A real HTTP server. `script` may be replaced at any time; it is asked for each request."""

    def __init__(self, script: Script | None = None) -> None:
        self.received: list[Received] = []
        self.script: Script = script or (lambda _received: Reply())
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._ready = threading.Event()
        self._quit = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/send"

    @property
    def messages(self) -> list[Any]:
        """Every message of every call that came, in their order."""
        return [message for one in self.received for message in one.body.get("messages", [one.body])]

    def __enter__(self) -> "Gateway":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._quit.set)
        self._thread.join(10)

    def _serve(self) -> None:
        self._loop.run_until_complete(self._main())
        self._loop.close()

    async def _main(self) -> None:
        app = web.Application(client_max_size=10_000_000)
        app.router.add_post("/send", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0, access_log=None, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._quit.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        received = Received({name.lower(): value for name, value in request.headers.items()}, await request.read())
        self.received.append(received)
        reply = self.script(received)
        if reply == SILENCE:
            await self._quit.wait()
        if isinstance(reply, str):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        return web.Response(status=reply.status, text=body, headers=reply.headers)
