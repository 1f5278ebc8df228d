"""Crashes in the middle of a campaign, with a real worker, beat, broker and SMTP server.

The worst moment is chosen each time: the server has taken a message and has not answered yet.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from campaigns.models import Batch, Campaign, Delivery
from campaigns.services import dispatch
from campaigns.services.batches import LEASE
from campaigns.states import CampaignState
from tests.campaigns.smtp import Mailbox
from tests.factories.campaigns import SendingChannelFactory, make_approved_campaign, make_audience
from tests.journeys.processes import Broker, Processes, kill, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

PEOPLE = 400
POOL = 2  # processes of a worker


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.stop()


def launch() -> Campaign:
    make_audience(PEOPLE)
    return make_approved_campaign(channel=SendingChannelFactory(batch_size=50), scheduled_at=timezone.now())


def finished() -> bool:
    return Campaign.objects.get().state == CampaignState.FINISHED


def at_message(number: int, act: Callable[[], None]) -> Callable[[int], None]:
    def before_answer(count: int) -> None:
        if count == number:
            act()
            connection.close()

    return before_answer


def pretend_the_lease_is_over() -> None:
    dispatch.recover_expired(now=timezone.now() + LEASE + timedelta(seconds=1))


def check_the_books(mailbox: Mailbox, *, dead: int) -> None:
    """Every delivery tells the truth: once sent or unknown, nothing twice, nothing lost.

    `dead` is the number of processes that died with a group in hand.
    """
    run = Campaign.objects.get().runs.get()
    received = Counter(mailbox.message_ids)
    assert {name for name, times in received.items() if times > 1} == set()
    by_state: dict[str, set[str]] = {}
    for profile, state in Delivery.objects.values_list("profile", "state"):
        by_state.setdefault(state, set()).add(f"{run.uid.hex}.{profile}.0@{settings.MAIL_DOMAIN}")
    assert set(by_state) == {"sent", "unknown"}
    assert sum(map(len, by_state.values())) == PEOPLE
    assert by_state["sent"] <= set(received)
    assert set(received) <= by_state["sent"] | by_state["unknown"]
    # The message that was in the server's hands when its worker died is among the unknown.
    assert set(received) & by_state["unknown"]
    assert len(by_state["unknown"]) <= dead * dispatch.MAX_GROUP


@pytest.mark.parametrize("broker_forgets", [False, True], ids=["worker", "worker and broker"])
def test_killed_worker(broker: Broker, tmp_path: Path, broker_forgets: bool) -> None:
    """The whole worker dies; in the second case the broker loses everything in the same moment."""
    launch()

    def crash() -> None:
        kill(worker)
        if broker_forgets:
            broker.client.flushall()

    with (
        Mailbox(at_message(120, crash)) as mailbox,
        Processes(broker=broker, email_url=mailbox.url, log=tmp_path / "log") as processes,
    ):
        worker = processes.worker()
        processes.beat()
        wait_for("the worker's death", lambda: worker.poll() is not None)
        assert Delivery.objects.filter(state="claimed").exists()
        assert not finished()
        pretend_the_lease_is_over()
        processes.worker()
        wait_for("the campaign to finish", finished)
    check_the_books(mailbox, dead=POOL)


def test_killed_pool_process(broker: Broker, tmp_path: Path) -> None:
    """One process of the pool dies, as when memory runs out; the worker replaces it and goes on."""
    launch()
    died: list[int] = []

    def crash() -> None:
        batch = Batch.objects.filter(state="claimed").first()
        assert batch is not None
        died.append(int(batch.claimed_by.split()[0].rpartition(":")[2]))
        os.kill(died[0], signal.SIGKILL)

    with (
        Mailbox(at_message(120, crash)) as mailbox,
        Processes(broker=broker, email_url=mailbox.url, log=tmp_path / "log") as processes,
    ):
        processes.worker()
        processes.beat()
        wait_for("the death of a process", lambda: bool(died))
        left = Batch.objects.filter(claimed_by__contains=f":{died[0]} ", state="claimed")
        others = Batch.objects.exclude(pk__in=left.values("pk")).exclude(state="done")
        wait_for("the other batches to be sent", lambda: Batch.objects.exists() and not others.exists())
        assert not finished()
        pretend_the_lease_is_over()
        wait_for("the campaign to finish", finished)
    check_the_books(mailbox, dead=1)


def test_broker_that_forgets_everything(broker: Broker, tmp_path: Path) -> None:
    """The wake-up calls of a planned campaign are lost; beat's next tick makes new ones."""
    launch()
    with (
        Mailbox(at_message(60, lambda: bool(broker.client.flushall()))) as mailbox,
        Processes(broker=broker, email_url=mailbox.url, log=tmp_path / "log") as processes,
    ):
        processes.worker()
        processes.beat()
        wait_for("the campaign to finish", finished)
    assert Counter(Delivery.objects.values_list("state", flat=True)) == {"sent": PEOPLE}
    assert len(mailbox.message_ids) == len(set(mailbox.message_ids)) == PEOPLE
