"""A shop that sends its events over HTTP."""

import base64
import http.client
import json
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks.segment_suite.population import CATEGORIES, COLOURS, SOURCE, external_id
from tests.factories.api import make_client

BATCH = 1_000
SENDERS = 2
NAMES = ("browse", "browse", "browse", "browse", "search", "add_to_cart", "purchase")
JSON = {"Content-Type": "application/json"}


class Shop:
    """A client with a token of its own; one connection, for one thread."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        client, secret = make_client("events:write")
        basic = base64.b64encode(f"{client.client_id}:{secret}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        answer = self._post("/api/oauth/token/", b"grant_type=client_credentials", headers)
        self._headers = {"Authorization": f"Bearer {answer['access_token']}", **JSON}

    def send(self, body: bytes) -> int:
        """Send a batch; returns how many events were accepted."""
        accepted: int = self._post("/api/v1/events/", body, self._headers)["accepted"]
        return accepted

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        self._connection.request("POST", path, body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != http.client.OK:
            raise RuntimeError(f"{path}: {response.status} {answer[:500]!r}")
        read: dict[str, Any] = json.loads(answer)
        return read


class Happenings:
    """Events of random people, each with an id of its own; the same for the same `seed` but for the time."""

    def __init__(self, people: int, seed: str) -> None:
        self._people = people
        self._seed = seed
        self._random = random.Random(seed)
        self._number = 0

    def batch(self, size: int, *, first: Sequence[dict[str, Any]] = ()) -> bytes:
        """So many events as the API takes them, `first` among them."""
        events = [*first, *(self.event() for _ in range(size - len(first)))]
        return json.dumps({"source": SOURCE, "events": events}).encode()

    def event(self, name: str = "", person: int = 0) -> dict[str, Any]:
        """One event, now."""
        draw = self._random
        self._number += 1
        chosen = name or draw.choice(NAMES)
        money = {"amount": f"{draw.lognormvariate(3.4, 1):.2f}", "currency": "CNY"} if chosen == "purchase" else {}
        return {
            "event_id": f"{self._seed}-{self._number}", "name": chosen, "occurred_at": datetime.now(UTC).isoformat(),
            "external_id": external_id(person or draw.randint(1, self._people)), "category": draw.choice(CATEGORIES),
            "properties": {"color": draw.choice(COLOURS), "channel": "app"}, **money,
        }  # fmt: skip


def ingestion(*, people: int, batches: int, port: int) -> float:
    """Events per second that the web server takes from some senders at once, in batches of a thousand."""
    happenings = Happenings(people, "ingestion")
    shops = [Shop(port) for _ in range(SENDERS)]
    waiting = iter([happenings.batch(BATCH) for _ in range(batches)])
    for shop in shops:
        shop.send(happenings.batch(1))  # each thread of the server opens its connection to the database
    start = time.perf_counter()
    with ThreadPoolExecutor(SENDERS) as pool:
        accepted = sum(pool.map(lambda shop: _send_all(shop, waiting), shops))
    taken = time.perf_counter() - start
    if accepted != batches * BATCH:
        raise RuntimeError(f"{accepted} of {batches * BATCH} events were accepted")
    return accepted / taken


def _send_all(shop: Shop, bodies: Iterator[bytes]) -> int:
    return sum(shop.send(body) for body in bodies)
