"""What happens while a message is in the server's hands: real threads, committed transactions."""

import signal
import threading
from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import connection
from pytest_django import Settings

from campaigns.models import Batch, Campaign, Delivery
from campaigns.services import campaigns, dispatch, runs
from campaigns.states import BatchState, CampaignState
from tests.campaigns.conftest import point_at
from tests.campaigns.smtp import Mailbox
from tests.campaigns.stage import launch, send_all, states, withdraw
from tests.factories.campaigns import UserFactory, make_approved_campaign, make_audience

pytestmark = pytest.mark.django_db(transaction=True)


def at_message(number: int, act: Callable[[], None]) -> Callable[[int], None]:
    """For `Mailbox`: do it while this message waits for its answer, with a database connection of its own."""

    def before_answer(count: int) -> None:
        if count == number:
            act()
            connection.close()

    return before_answer


def test_withdrawal_while_the_batch_is_being_sent_wins(now: datetime, settings: Settings) -> None:
    """The gate is asked for each group: who withdraws while the batch is under way is not written to."""
    people = make_audience(60)
    run = launch(now)
    with Mailbox(at_message(5, lambda: withdraw(people[-1], run, now))) as mailbox:
        point_at(settings, mailbox.port)
        send_all(now)
    assert "reader-59@example.com" not in mailbox.recipients
    assert states() == {"sent": 59, "excluded": 1}
    assert Delivery.objects.get(state="excluded").reason == "consent_withdrawn"


def test_cancelling_while_the_batch_is_being_sent_stops_the_rest(now: datetime, settings: Settings) -> None:
    make_audience(30)
    run = launch(now)
    user = UserFactory()
    with Mailbox(at_message(5, lambda: _cancel(run.campaign, user, now))) as mailbox:
        point_at(settings, mailbox.port)
        send_all(now)
    assert len(mailbox.contents) == dispatch.FIRST_GROUP
    assert states() == {"sent": dispatch.FIRST_GROUP, "cancelled": 30 - dispatch.FIRST_GROUP}
    assert Batch.objects.get().state == BatchState.DONE
    assert Campaign.objects.get().state == CampaignState.CANCELLED


def test_outcomes_survive_an_interrupt(now: datetime, settings: Settings) -> None:
    """A signal while a message is being handed over: those before it are known, it is unknown, the rest is planned."""
    people = make_audience(5)
    launch(now)
    recorded = threading.Event()
    main = threading.main_thread().ident
    assert main is not None
    # A shell starts background jobs with this signal ignored, and Python then leaves it so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        signal.pthread_kill(main, signal.SIGINT)
        recorded.wait(10)

    with Mailbox(at_message(3, interrupt)) as mailbox:
        point_at(settings, mailbox.port)
        settings.EMAIL_TIMEOUT = 10
        with pytest.raises(KeyboardInterrupt):
            send_all(now)
        recorded.set()
    signal.signal(signal.SIGINT, before)
    rows = dict(Delivery.objects.values_list("profile", "state"))
    assert [rows[person.pk] for person in people] == ["sent", "sent", "unknown", "planned", "planned"]


def test_outcomes_survive_a_lost_database_connection(now: datetime, settings: Settings) -> None:
    """The connection breaks while messages are being handed over: the outcomes are recorded over a new one."""
    make_audience(15)
    launch(now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]

    def terminate() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    with Mailbox(at_message(3, terminate)) as mailbox:
        point_at(settings, mailbox.port)
        assert send_all(now) == {"sent": 15}
    assert states() == {"sent": 15}
    assert len(mailbox.message_ids) == len(set(mailbox.message_ids)) == 15


def test_many_workers_never_send_one_delivery_twice(now: datetime, settings: Settings) -> None:
    make_audience(120)
    run = launch(now, batch_size=10)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            send_all(now)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    with Mailbox() as mailbox:
        point_at(settings, mailbox.port)
        settings.EMAIL_TIMEOUT = 10
        _in_threads(4, work)
    assert not failures
    assert len(mailbox.message_ids) == len(set(mailbox.message_ids)) == 120
    assert states() == {"sent": 120}
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}
    assert runs.finish_done(now=now) == [run]


def test_many_ticks_launch_and_plan_once(now: datetime) -> None:
    make_audience(20)
    make_approved_campaign()
    launched: list[int] = []

    def tick() -> None:
        for run in runs.launch_due(now=now, actor="system"):
            launched.append(run.pk)
        for run in Campaign.objects.get().runs.all():
            runs.plan(run=run, now=now, actor="system")
        connection.close()

    _in_threads(4, tick)
    assert len(launched) == 1
    run = Campaign.objects.get().runs.get()
    runs.plan(run=run, now=now, actor="system")
    assert (Delivery.objects.count(), run.planned, Batch.objects.count()) == (20, 20, 1)


def _cancel(campaign: Campaign, user, now: datetime) -> None:  # type: ignore[no-untyped-def]
    campaigns.cancel(campaign=campaign, user=user, now=now)


def _in_threads(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
