"""Sending, in one process: what is claimed, what is asked again, what each outcome leads to."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage

import pytest
from django.test import Client
from pytest_django import Settings

from campaigns.channels import adapter_for
from campaigns.models import Batch, Delivery, Run
from campaigns.services import batches, dispatch, groups, runs
from campaigns.services.batches import LEASE, MAX_DOWN
from campaigns.services.handover import Handover
from campaigns.services.people import People
from campaigns.states import BatchState, DeliveryState, RunState
from compliance.models import AuditLeaf, ConsentState, SuppressionReason
from compliance.services import suppression
from segments.models import Identity, Profile
from segments.profile_input import ProfileInput
from segments.services import profiles
from tests.campaigns.conftest import point_at
from tests.campaigns.smtp import CLOSE, Mailbox, ScriptedServer
from tests.campaigns.stage import claim, launch, send_all, withdraw
from tests.factories.campaigns import make_audience
from tests.factories.segments import SourceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def script(settings: Settings) -> Iterator[list[dict[str, str]]]:
    """The answers of a misbehaving server, one script a connection; filled by the test before it sends."""
    scripts: list[dict[str, str]] = [{}]
    with ScriptedServer(*scripts) as server:
        server._scripts = scripts
        point_at(settings, server.port)
        yield scripts


def test_everybody_gets_one_message(now: datetime, mailbox: Mailbox, settings: Settings) -> None:
    people = make_audience(25)
    run = launch(now, batch_size=10)
    assert send_all(now) == {"sent": 25}
    assert sorted(mailbox.recipients) == sorted(f"reader-{number}@example.com" for number in range(25))
    expected = {f"{run.uid.hex}.{person.pk}.0@{settings.MAIL_DOMAIN}" for person in people}
    assert set(mailbox.message_ids) == expected
    row = Delivery.objects.filter(run=run).first()
    assert row is not None
    assert (row.state, row.attempts, row.sent_at, row.error) == ("sent", 1, now, "")
    assert runs.finish_done(now=now) == [run]
    assert send_all(now) == {}


def test_message_is_personal_and_its_link_works(
    now: datetime, mailbox: Mailbox, client: Client, settings: Settings
) -> None:
    (person,) = make_audience(1)
    run = launch(now)
    send_all(now)
    (message,) = mailbox.messages
    assert message["To"] == "Reader 0 <reader-0@example.com>"
    assert message["From"] == "The shop <shop@example.com>"
    assert message["Subject"] == "Offers for Reader 0"
    url = message["List-Unsubscribe"].strip("<>")
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert isinstance(part, EmailMessage)
        assert url in part.get_content()
        assert "Dear Reader 0" in part.get_content()
    path = url.removeprefix(settings.BASE_URL)
    answer = client.post(path, b"List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200
    state = ConsentState.objects.select_related("record").get(subject=person.pk)
    assert state.action == "withdrawn"
    assert str(Delivery.objects.get(run=run).pk) in str(state.record.evidence)


def test_withdrawal_after_planning_wins(now: datetime, mailbox: Mailbox) -> None:
    people = make_audience(12)
    run = launch(now)
    withdraw(people[4], run, now)
    digest = Identity.objects.get(profile=people[5], kind="email").digest
    suppression.add(
        digest=bytes(digest), channel="email", purpose_id=None, reason=SuppressionReason.COMPLAINT, source="test",
        actor="test", now=now,
    )  # fmt: skip
    assert send_all(now) == {"sent": 10}
    assert not {"reader-4@example.com", "reader-5@example.com"} & set(mailbox.recipients)
    assert Delivery.objects.get(profile=people[4]).reason == "consent_withdrawn"
    assert Delivery.objects.get(profile=people[5]).reason == "suppressed"


def test_expiry_between_planning_and_sending_counts(now: datetime, mailbox: Mailbox) -> None:
    make_audience(2)
    run = launch(now)
    ConsentState.objects.update(expires_at=now + timedelta(minutes=5))
    batch = claim(now)
    dispatch.send_batch(batch=batch, clock=lambda: now + timedelta(minutes=6))
    assert mailbox.recipients == []
    assert set(Delivery.objects.filter(run=run).values_list("reason", flat=True)) == {"consent_expired"}


def test_new_address_is_used_and_asked_about(now: datetime, mailbox: Mailbox) -> None:
    moved, moved_to_suppressed, gone = make_audience(3)
    launch(now)
    for number, address in enumerate(["moved@example.com", "complained@example.com"]):
        given = ProfileInput(external_id=f"A{number}", email=address)
        profiles.upsert_many(source=SourceFactory(), inputs=[given], actor="test", now=now)
    Identity.objects.filter(profile=gone, kind="email").delete()
    suppressed = Identity.objects.get(profile=moved_to_suppressed, kind="email", is_primary=True)
    suppression.add(
        digest=bytes(suppressed.digest), channel="", purpose_id=None, reason=SuppressionReason.COMPLAINT,
        source="test", actor="test", now=now,
    )  # fmt: skip
    assert send_all(now) == {"sent": 1}
    assert mailbox.recipients == ["moved@example.com"]
    row = Delivery.objects.get(profile=moved)
    assert bytes(row.address_digest or b"") == bytes(
        Identity.objects.get(profile=moved, kind="email", is_primary=True).digest
    )
    assert Delivery.objects.get(profile=moved_to_suppressed).reason == "suppressed"
    assert Delivery.objects.get(profile=gone).reason == "no_address"


def test_address_changed_after_it_was_read_is_not_used(now: datetime, mailbox: Mailbox) -> None:
    """The batch was loaded with the old address; the gate was asked about the new one: neither is written to now."""
    (person,) = make_audience(1)
    launch(now)
    batch = claim(now)
    people = People(batch)
    given = ProfileInput(external_id="A0", email="moved@example.com")
    profiles.upsert_many(source=SourceFactory(), inputs=[given], actor="test", now=now)
    group = groups.turn(batch, outcomes=[], size=10, now=now)
    with adapter_for(kind="email", sender=batch.content.sender) as adapter:
        handover = Handover(people=people, adapter=adapter, clock=lambda: now)
        handover.run(group)
    groups.turn(batch, outcomes=handover.outcomes, size=0, now=now)
    batches.complete(batch)
    assert mailbox.recipients == []
    assert "just changed" in Delivery.objects.get(profile=person).error
    assert send_all(now + timedelta(minutes=1)) == {"sent": 1}
    assert mailbox.recipients == ["moved@example.com"]
    assert Delivery.objects.get(profile=person).error == ""


def test_what_is_approved_is_what_is_sent(now: datetime, mailbox: Mailbox) -> None:
    make_audience(1)
    run = launch(now)
    template = run.campaign.template
    template.subject = "Changed while it is being sent"
    template.save()
    send_all(now)
    assert mailbox.messages[0]["Subject"] == "Offers for Reader 0"


def test_template_that_fails_for_one_person_fails_for_that_person(now: datetime, mailbox: Mailbox) -> None:
    one, other = make_audience(2)
    Profile.objects.filter(pk=one.pk).update(attributes={"parts": 0})
    Profile.objects.filter(pk=other.pk).update(attributes={"parts": 2})
    run = launch(now)
    run.content["text"] += "{% if profile.attributes.parts %}{{ 10 | divided_by: profile.attributes.parts }}{% endif %}"
    run.save()
    assert send_all(now) == {"sent": 1, "failed": 1}
    assert "divide by 0" in Delivery.objects.get(profile=one).error


@pytest.mark.parametrize("step", ["RCPT", "message"])
def test_refused_for_good(now: datetime, script: list[dict[str, str]], step: str) -> None:
    make_audience(1)
    run = launch(now)
    script[0][step] = "550 5.1.1 <reader-0@example.com> unknown"
    assert send_all(now) == {"failed": 1}
    row = Delivery.objects.get(run=run)
    assert (row.state, row.error, row.sent_at) == ("failed", "550 5.1.1 <address> unknown", None)
    assert runs.finish_done(now=now) == [run]


def test_refused_for_now_is_tried_again_with_growing_pauses(now: datetime, script: list[dict[str, str]]) -> None:
    make_audience(1)
    run = launch(now)
    script[0]["RCPT"] = "450 greylisted"
    waits = []
    for _ in range(4):
        assert send_all(now) == {"planned": 1}
        assert runs.finish_done(now=now) == []
        due = Batch.objects.get().due_at
        waits.append((due - now).total_seconds() / 60)
        assert dispatch.claim_batch(now=due - timedelta(seconds=1), worker="test") is None
        now = due
    assert waits == [1, 5, 20, 60]
    assert send_all(now) == {"failed": 1}
    row = Delivery.objects.get(run=run)
    assert (row.attempts, row.error) == (5, "450 greylisted")


def test_greylisted_message_arrives_at_the_second_attempt(now: datetime, script: list[dict[str, str]]) -> None:
    make_audience(2)
    run = launch(now)
    script[0] = {"RCPT": "450 greylisted"}
    script.append({})
    assert send_all(now) == {"planned": 2}
    later = now + timedelta(minutes=1)
    assert send_all(later) == {"sent": 2}
    row = Delivery.objects.filter(run=run).first()
    assert row is not None
    assert (row.attempts, row.sent_at, row.error) == (2, later, "")


def test_no_answer_after_the_message_is_unknown_for_ever(now: datetime, script: list[dict[str, str]]) -> None:
    make_audience(3)
    run = launch(now)
    script[0] = {"message": CLOSE}
    script.append({})
    assert send_all(now) == {"unknown": 1, "sent": 2}
    assert Delivery.objects.get(state="unknown").error.startswith("no answer after the message")
    assert runs.finish_done(now=now) == [run]
    assert send_all(now + timedelta(days=1)) == {}


def test_error_text_that_no_database_takes_is_stored_clean(now: datetime, script: list[dict[str, str]]) -> None:
    make_audience(1)
    run = launch(now)
    script[0]["RCPT"] = "550 \x00\x07 no" + "x" * 500
    assert send_all(now) == {"failed": 1}
    error = Delivery.objects.get(run=run).error
    assert error.startswith("550")
    assert error.isprintable()


def test_dead_channel_costs_no_attempts_and_waits_longer_each_time(now: datetime, script: list[dict[str, str]]) -> None:
    make_audience(3)
    run = launch(now)
    script[0] = {"connect": "421 busy"}
    waits = []
    for _ in range(9):
        assert send_all(now) == {}
        due = Batch.objects.get().due_at
        waits.append((due - now).total_seconds())
        now = due
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert set(Delivery.objects.filter(run=run).values_list("state", "attempts")) == {("planned", 0)}
    script[0] = {}
    assert send_all(now) == {"sent": 3}


def test_channel_that_dies_midway_gives_back_what_was_not_begun(now: datetime, script: list[dict[str, str]]) -> None:
    make_audience(5)
    run = launch(now)
    script[0] = {"DATA": CLOSE}  # the first message may be retried, then nobody can connect
    script.append({"connect": CLOSE})
    assert send_all(now) == {"planned": 5}
    assert Counter(Delivery.objects.filter(run=run).values_list("attempts", flat=True)) == {1: 1, 0: 4}
    script[:] = [{}]
    assert send_all(now + timedelta(minutes=2)) == {"sent": 5}


def test_channel_that_stays_dead_ends_in_failure(now: datetime, script: list[dict[str, str]]) -> None:
    make_audience(2)
    run = launch(now)
    Batch.objects.update(attempts=MAX_DOWN - 1)
    script[0] = {"MAIL": "550 relaying denied"}
    send_all(now)
    assert set(Delivery.objects.filter(run=run).values_list("state", "error")) == {
        ("failed", "sender refused: 550 relaying denied")
    }
    assert runs.finish_done(now=now) == [run]


def test_switched_off_channel_is_not_used(now: datetime, mailbox: Mailbox) -> None:
    make_audience(2)
    run = launch(now)
    batch = claim(now)
    channel = run.campaign.channel
    channel.is_active = False
    channel.save()
    assert dispatch.send_batch(batch=batch, clock=lambda: now) == {}
    assert dispatch.claim_batch(now=now, worker="test") is None
    channel.is_active = True
    channel.save()
    assert send_all(now) == {"sent": 2}


def test_retry_that_comes_back_into_a_cancelled_run_is_cancelled(now: datetime, script: list[dict[str, str]]) -> None:
    make_audience(1)
    run = launch(now)
    script[0] = {"RCPT": "450 greylisted"}
    send_all(now)
    # As when the cancellation commits while the message is in the worker's hands.
    Run.objects.update(state=RunState.CANCELLED)
    assert dispatch.recover_expired(now=now) == {"cancelled": 1}
    row = Delivery.objects.get(run=run)
    assert (row.state, row.reason) == ("cancelled", "campaign_cancelled")
    assert Batch.objects.get().state == BatchState.DONE


def test_time_slice_gives_the_rest_back(now: datetime, mailbox: Mailbox) -> None:
    make_audience(30)
    launch(now)
    assert dispatch.send_batch(batch=claim(now), clock=lambda: now, seconds=0) == {}
    assert Batch.objects.get().state == BatchState.PENDING
    assert send_all(now) == {"sent": 30}


class TestDeadWorker:
    """A worker that does not come back, shown by leaving its work where it was."""

    def test_nothing_is_taken_from_a_worker_within_its_lease(self, now: datetime) -> None:
        make_audience(2)
        launch(now)
        batch = claim(now)
        groups.turn(batch, outcomes=[], size=1, now=now)
        assert dispatch.recover_expired(now=now + LEASE) == {}
        assert dispatch.claim_batch(now=now + LEASE, worker="other") is None

    def test_what_it_had_in_hand_is_unknown_and_the_rest_is_sent(self, now: datetime, mailbox: Mailbox) -> None:
        people = make_audience(6)
        run = launch(now)
        groups.turn(claim(now), outcomes=[], size=2, now=now)
        later = now + LEASE + timedelta(seconds=1)
        assert dispatch.recover_expired(now=later) == {"unknown": 2}
        assert send_all(later) == {"sent": 4}
        assert len(mailbox.recipients) == 4
        unknown = Delivery.objects.filter(run=run, state="unknown")
        assert set(unknown.values_list("profile", flat=True)) == {people[0].pk, people[1].pk}
        assert "worker stopped" in unknown[0].error
        assert AuditLeaf.objects.filter(action="batch.recovered").count() == 1
        assert runs.finish_done(now=later) == [run]

    def test_it_died_before_it_claimed_anything(self, now: datetime, mailbox: Mailbox) -> None:
        make_audience(3)
        launch(now)
        claim(now)
        later = now + LEASE + timedelta(seconds=1)
        assert not dispatch.recover_expired(now=later)
        assert send_all(later) == {"sent": 3}

    def test_it_was_only_slow_and_reports_late(self, now: datetime) -> None:
        """Its outcomes are facts and recorded; but it claims nothing more, and nobody sends them again."""
        people = make_audience(4)
        launch(now)
        slow = claim(now)
        in_hand = groups.turn(slow, outcomes=[], size=2, now=now)
        later = now + LEASE + timedelta(seconds=1)
        dispatch.recover_expired(now=later)
        other = claim(later)
        outcomes = [
            groups.Outcome(in_hand[0].profile_id, DeliveryState.SENT, later),
            groups.Outcome(in_hand[1].profile_id, DeliveryState.PLANNED, later, untried=True),
        ]
        assert groups.turn(slow, outcomes=outcomes, size=10, now=later) == []
        batches.complete(slow)
        rows = dict(Delivery.objects.values_list("profile", "state"))
        # The second was called unknown before its worker could give it back; unknown it stays, to be safe.
        assert [rows[person.pk] for person in people] == ["sent", "unknown", "planned", "planned"]
        taken = groups.turn(other, outcomes=[], size=10, now=later)
        assert [claimed.profile_id for claimed in taken] == [people[2].pk, people[3].pk]
