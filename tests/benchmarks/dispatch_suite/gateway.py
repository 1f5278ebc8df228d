"""SMS end to end by real workers into a batch gateway on loopback, 1,000 messages a call.

Skipped until `campaigns.channels` has an adapter for such a gateway; the gateway itself is there.
"""

import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from campaigns.channels import SUPPORTED
from compliance.channels import Channel
from tests.benchmarks.dispatch_suite import prepared
from tests.benchmarks.segment_suite.stage import say

PER_CALL = 1_000


def measure() -> dict[str, float | None]:
    """Messages per second that the workers bring through the gateway; None while there is no adapter."""
    reason = "no benchmark drives its adapter yet" if Channel.SMS in SUPPORTED else "no adapter supports SMS yet"
    say(f"gateway: SKIPPED, for {reason}")
    return {"gateway_messages_per_s": None}


@contextmanager
def running() -> Iterator[int]:
    """A gateway as a process of its own (`gateway_server`); gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    process = prepared.start("gateway_server", port)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield port
    finally:
        process.kill()
        process.wait(10)


def taken(port: int) -> dict[str, int]:
    """What the gateway took: calls, messages, and how many of these were different."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/taken", timeout=10) as answer:
        counts: dict[str, int] = json.load(answer)
    return counts
