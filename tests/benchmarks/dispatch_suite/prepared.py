"""Finished messages of a run, for those who only send: the raw sender gets the bytes, django-post-office the variables.

`python -m` is never run on this module; it is imported by processes without Django, so it imports Heed late.
"""

import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from campaigns.models import Run

AT_MOST = 2_000  # different messages; whoever sends more begins anew


@dataclass(frozen=True)
class Prepared:
    """One person's message: as it goes over the wire without the final dot, and what the template was filled with."""

    address: str
    content: bytes
    unsubscribe_url: str
    context: dict[str, Any]


def store(run: "Run", path: Path) -> None:
    """Write the first messages of a planned run to a file, as Heed would send them now."""
    path.write_bytes(pickle.dumps(_messages(run)))


def load(path: Path) -> Sequence[Prepared]:
    """What `store` wrote."""
    messages: Sequence[Prepared] = pickle.loads(path.read_bytes())
    return messages


def start(module: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """A module of this benchmark as a process of its own, with pipes."""
    import os

    from tests.journeys.processes import ROOT

    command = [sys.executable, "-m", f"tests.benchmarks.dispatch_suite.{module}", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def _messages(run: "Run") -> list[Prepared]:
    from django.utils import timezone

    from campaigns.channels.email import parts_of
    from campaigns.content import Content
    from campaigns.mime import Skeleton
    from campaigns.models import Batch
    from campaigns.services import batches
    from campaigns.services.groups import Claimed
    from campaigns.services.people import People
    from campaigns.states import DeliveryState

    skeleton = Skeleton(Content(**run.content).sender)
    made: list[Prepared] = []
    waiting = Batch.objects.filter(run=run).select_related("run__campaign__channel").order_by("pk")
    for batch in waiting.iterator():
        claimed = batches._claimed(batch)
        people = People(claimed)
        planned = claimed.deliveries().filter(state=DeliveryState.PLANNED)
        for pk, profile, digest in planned.values_list("pk", "profile_id", "address_digest"):
            message = people.message(Claimed(pk, profile, bytes(digest), 1), timezone.now())
            context = _context(people._profiles[profile], message.to_name, message.unsubscribe_url)
            made.append(
                Prepared(message.to_address, skeleton.fill(parts_of(message)), message.unsubscribe_url, context)
            )
        if len(made) >= AT_MOST:
            break
    return made[:AT_MOST]


def _context(profile: dict[str, Any], name: str, url: str) -> dict[str, Any]:
    known = {key: value for key, value in profile.items() if key in ("gender", "language", "city", "attributes")}
    return {"profile": {**known, "name": name}, "unsubscribe_url": url}
