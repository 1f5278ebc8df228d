"""Caps hold between campaigns that are planned, or sent, at the same moment: real threads, committed transactions."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from campaigns.models import CapUnit, Delivery, FrequencyCap
from campaigns.services import batches, caps, groups, runs
from tests.factories.campaigns import DUE, make_approved_campaign, make_audience

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 4


def at_once(*acts: Callable[[], None]) -> None:
    """Do all of it at the same moment, each with a database connection of its own."""
    barrier, errors = threading.Barrier(len(acts)), list[BaseException]()

    def run(act: Callable[[], None]) -> None:
        try:
            barrier.wait(10)
            act()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


def test_campaigns_planned_at_once_share_the_cap() -> None:
    people = make_audience(50)
    caps.save(cap=FrequencyCap(name="one", most=1, unit=CapUnit.DAY), actor="test", now=DUE)
    for _ in range(THREADS):
        make_approved_campaign()
    launched = runs.launch_due(now=DUE, actor="system")
    at_once(*[lambda run=run: runs.plan(run=run, now=DUE, actor="system") for run in launched])  # type: ignore[misc]
    states = Delivery.objects.values_list("profile", "state")
    assert len(states) == THREADS * len(people)
    assert sorted(person for person, state in states if state == "planned") == [person.pk for person in people]


def test_workers_with_messages_for_one_person_do_not_pass_the_cap() -> None:
    """Planned before there was a cap, so that only the check at sending holds it."""
    people = make_audience(20)
    for _ in range(THREADS):
        make_approved_campaign()
    for run in runs.launch_due(now=DUE, actor="system"):
        runs.plan(run=run, now=DUE, actor="system")
    caps.save(cap=FrequencyCap(name="one", most=1, unit=CapUnit.DAY), actor="test", now=DUE)
    claimed = [batches.claim(now=DUE, worker=f"worker-{number}") for number in range(THREADS)]
    now = DUE + timedelta(seconds=1)
    at_once(*[
        lambda batch=batch: groups.turn(batch, outcomes=[], size=50, now=now)  # type: ignore[misc]
        for batch in claimed
    ])  # fmt: skip
    states = Delivery.objects.values_list("profile", "state")
    assert sorted(person for person, state in states if state == "claimed") == [person.pk for person in people]
    assert sum(state == "excluded" for _, state in states) == (THREADS - 1) * len(people)
