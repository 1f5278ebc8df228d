"""A batch gateway on loopback: `python -m tests.benchmarks.dispatch_suite.gateway_server PORT`.

`POST /messages` takes `{"messages": [{"id", "to", "text"}, ..]}`, at most 1,000 a call, and answers for each whether it
was accepted, as gateways of SMS providers do. `GET /taken` counts. A known id is answered anew and not counted twice.
"""

import sys

from aiohttp import web

MOST = 1_000
MAX_BYTES = 4 * 2**20


class Gateway:
    """Counts what it takes and keeps the ids, as a provider must to be idempotent."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._calls = 0
        self._messages = 0

    async def take(self, request: web.Request) -> web.Response:
        messages = (await request.json())["messages"]
        if len(messages) > MOST:
            return web.json_response({"error": f"more than {MOST} messages"}, status=413)
        self._calls += 1
        self._messages += len(messages)
        self._ids.update(message["id"] for message in messages)
        return web.json_response({"results": [{"id": message["id"], "status": "accepted"} for message in messages]})

    async def taken(self, _request: web.Request) -> web.Response:
        return web.json_response({"calls": self._calls, "messages": self._messages, "different": len(self._ids)})


async def _say_ready(_application: web.Application) -> None:
    print("ready", flush=True)


def main(port: int) -> None:
    gateway = Gateway()
    application = web.Application(client_max_size=MAX_BYTES)
    application.add_routes([web.post("/messages", gateway.take), web.get("/taken", gateway.taken)])
    application.on_startup.append(_say_ready)
    web.run_app(application, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
