"""How long after an event was accepted the person's tags and segments have changed, under load, with real processes."""

import threading
import time
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

from django.db import connection
from django.utils import timezone

from segments.models import ProfileTag, SegmentMembership, Touch
from segments.services import segments, tags
from tests.benchmarks.segment_suite.comparison import ACTOR
from tests.benchmarks.segment_suite.sending import Happenings, Shop
from tests.benchmarks.segment_suite.stage import rows, say

RATE = 1_000  # events a second
BATCH = 100
PROBES = 3  # of each batch
LOOK = 0.05
PATIENCE = 90
BACKLOG = 900  # seconds in which the worker follows up what imports left
QUIET = """
    SELECT profile_id FROM segments_profilestats WHERE event_count > 0
      AND last_event_at < now() - interval '1 day' ORDER BY chance(profile_id, 98) LIMIT %s
"""
PROBE = "click"
DEFINITION = {"event": PROBE, "measure": "count", "op": "gte", "value": 1, "window": {"hours": 2}}
Tags = dict[int, Any]


@dataclass
class Watch:
    """When each probed person's event was accepted, and when the change was seen first."""

    accepted: dict[int, float] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)

    def note(self, people: set[int]) -> None:
        """These people have changed by now."""
        moment = time.perf_counter()
        for person in people:
            self.seen.setdefault(person, moment)

    def p95(self) -> float:
        """The 95th percentile of the delays in seconds."""
        waits = [self.seen[person] - moment for person, moment in self.accepted.items()]
        return quantiles(waits, n=20)[-1]

    @property
    def is_complete(self) -> bool:
        return self.accepted.keys() <= self.seen.keys()


def latency(*, people: int, seconds: int, port: int) -> dict[str, float]:
    """Sends `RATE` events a second for so long, while the tags that ship with Heed are there: clicks feed interests."""
    segment = segments.create(
        key="clicked-lately", name="Clicked lately", definition=DEFINITION, actor=ACTOR, now=timezone.now()
    )
    _until_quiet()
    batches = seconds * RATE // BATCH
    probed = [person for (person,) in rows(QUIET, [batches * PROBES])]
    tags.ensure_ready_made(actor=ACTOR, now=timezone.now())
    before = _tags(probed)
    entered, tagged = Watch(), Watch()
    sender = Sender(port, people, probed, [entered, tagged], batches)
    thread = threading.Thread(target=sender.run)
    thread.start()
    deadline = time.perf_counter() + seconds + PATIENCE
    while thread.is_alive() or not (entered.is_complete and tagged.is_complete):
        members = SegmentMembership.objects.filter(segment=segment).values_list("profile_id", flat=True)
        entered.note(set(members))
        tagged.note({person for person, carried in _tags(probed).items() if carried != before.get(person)})
        if time.perf_counter() > deadline:
            break
        time.sleep(LOOK)
    thread.join()
    if sender.error:
        raise sender.error
    if not (entered.is_complete and tagged.is_complete):
        raise RuntimeError(
            f"of {len(entered.accepted)} people {len(entered.seen)} entered and the tags of {len(tagged.seen)} changed;"
            f" {_left()} touches left"
        )
    say(f"sent {sender.rate:,.0f} events/s; slowest request {sender.slowest:.2f} s")
    return {
        "sent_events_per_s": sender.rate,
        "event_to_segment_p95_s": entered.p95(),
        "event_to_tag_p95_s": tagged.p95(),
    }


class Sender:
    """Sends batches at a steady pace and notes when those with probes were accepted."""

    def __init__(self, port: int, people: int, probed: list[int], watches: list[Watch], batches: int) -> None:
        self._shop = Shop(port)
        self._happenings = Happenings(people, "latency")
        self._probed = iter(probed)
        self._watches = watches
        self._batches = batches
        self.rate = self.slowest = 0.0
        self.error: BaseException | None = None

    def run(self) -> None:
        """Send everything; an error is kept for the thread that waits."""
        try:
            start = time.perf_counter()
            for number in range(self._batches):
                time.sleep(max(0.0, start + number * BATCH / RATE - time.perf_counter()))
                self._send()
            self.rate = self._batches * BATCH / (time.perf_counter() - start)
        except BaseException as error:  # raised again by `latency`
            self.error = error
        finally:
            connection.close()

    def _send(self) -> None:
        probed = [person for person, _ in zip(self._probed, range(PROBES), strict=False)]
        body = self._happenings.batch(BATCH, first=[self._happenings.event(PROBE, person) for person in probed])
        start = time.perf_counter()
        accepted = self._shop.send(body)
        moment = time.perf_counter()
        self.slowest = max(self.slowest, moment - start)
        if accepted != BATCH:
            raise RuntimeError(f"{accepted} of {BATCH} events were accepted")
        for watch in self._watches:
            watch.accepted.update(dict.fromkeys(probed, moment))


def _tags(people: list[int]) -> Tags:
    """What tags people carry, so that a change can be told."""
    found: Tags = {}
    carried = ProfileTag.objects.filter(profile__in=people).order_by("pk")
    for person, *tag in carried.values_list("profile_id", "tag_id", "weight", "assigned_at"):
        found.setdefault(person, []).append(tag)
    return found


def _until_quiet() -> None:
    """Wait until the worker has worked off what earlier parts left."""
    start = time.perf_counter()
    left = _left()
    while Touch.objects.exists():
        if time.perf_counter() > start + BACKLOG:
            raise RuntimeError(f"{_left()} touches are left; is the worker alive?")
        time.sleep(LOOK)
    say(f"{left} touches of the earlier parts were followed up in {time.perf_counter() - start:.0f} s")


def _left() -> int:
    return Touch.objects.count()
