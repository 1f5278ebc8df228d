"""Withdrawals reach every downstream system: against a real web server, and over the API."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client

from compliance import webhooks
from compliance.models import AuditLeaf, ConsentRecord, DownstreamSystem, PropagationTask
from compliance.services import alerts, consent, downstream, propagation, webhook_sending
from tests.factories.api import api, make_client, make_token, post
from tests.factories.compliance import NoticeFactory, SubjectFactory

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@dataclass
class Receiver:
    """A downstream system's web server. Answers with the next of `answers`, the last one for good."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def system(now: datetime, **fields: Any) -> tuple[DownstreamSystem, str]:
    values = {"key": "crm", "name": "Old CRM", "url": "", "client": None, "wants_consents": False, **fields}
    return downstream.create(actor="test", now=now, **values)


def decide(now: datetime, action: str = "withdrawn") -> ConsentRecord:
    notice = NoticeFactory()
    decision = consent.Decision(
        subject_id=SubjectFactory().pk, purpose_id=notice.purpose_id, channel="email", action=action, method="form",
        notice_id=notice.pk if action == "given" else None, source="test", occurred_at=now,
    )  # fmt: skip
    return consent.record(decision=decision, actor="test", now=now)


def tell(now: datetime) -> int:
    parcels = propagation.claim(now=now, limit=100)
    propagation.record(outcomes=webhook_sending.send_all(parcels, clock=lambda: now), now=now)
    return len(parcels)


def actions() -> list[str]:
    return list(AuditLeaf.objects.filter(object_type="propagation").order_by("pk").values_list("action", flat=True))


def test_a_withdrawal_is_told_signed_and_acknowledged(receiver: Receiver, now: datetime) -> None:
    _, secret = system(now, url=receiver.url)
    record = decide(now)
    assert tell(now) == 1
    ((headers, body),) = receiver.got
    webhooks.verify(secret=secret, headers=headers, body=body, now=now)
    task = PropagationTask.objects.get()
    told = json.loads(body)
    assert told["type"] == "consent.withdrawn"
    assert told["data"]["subject"] == str(record.subject.uid)
    assert headers["webhook-id"] == told["data"]["task"] == str(task.uid)
    assert (task.state, task.acknowledged_at, task.deadline_at) == ("acknowledged", now, now + 72 * HOUR)
    assert actions() == ["propagation.acknowledged"]
    assert tell(now + 9 * HOUR) == 0


def test_who_is_told_of_what(now: datetime) -> None:
    system(now, url="https://crm.example.com")
    system(now, key="cdp", name="CDP", url="https://cdp.example.com", wants_consents=True)
    off, _ = system(now, key="off", name="Off", url="https://off.example.com")
    DownstreamSystem.objects.filter(pk=off.pk).update(is_active=False)
    decide(now, "given")
    decide(now, "withdrawn")
    told = PropagationTask.objects.values_list("system__key", "record__action")
    assert sorted(told) == [("cdp", "given"), ("cdp", "withdrawn"), ("crm", "withdrawn")]


def test_an_expiry_is_told_too(now: datetime) -> None:
    notice = NoticeFactory()
    decision = consent.Decision(
        subject_id=SubjectFactory().pk, purpose_id=notice.purpose_id, channel="email", action="given", method="form",
        notice_id=notice.pk, source="test", occurred_at=now, expires_at=now + HOUR,
    )  # fmt: skip
    consent.record(decision=decision, actor="test", now=now)
    system(now, url="https://crm.example.com")
    consent.expire_due(now=now + 2 * HOUR, actor="test")
    assert PropagationTask.objects.get().record.action == "expired"


def test_the_task_is_made_with_the_withdrawal_or_not_at_all(now: datetime) -> None:
    system(now, url="https://crm.example.com")
    with transaction.atomic():
        decide(now)
        transaction.set_rollback(True)
    assert not PropagationTask.objects.exists()


def test_failures_are_tried_again_with_growing_pauses(receiver: Receiver, now: datetime) -> None:
    system(now, url=receiver.url)
    receiver.answers = [500, 302, 404, 204]
    decide(now)
    pauses = []
    for _ in range(3):
        tell(now)
        task = PropagationTask.objects.get()
        assert task.state == "pending"
        assert task.error.startswith("answered ")
        pauses.append(task.due_at - now)
        assert tell(task.due_at - timedelta(seconds=1)) == 0
        now = task.due_at
    assert pauses == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    tell(now)
    task.refresh_from_db()
    assert (task.state, task.attempts, task.error) == ("acknowledged", 4, "")
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1  # so that a repeat can be told


def test_a_system_that_is_down_is_named_in_the_error(receiver: Receiver, now: datetime) -> None:
    system(now, url="http://127.0.0.1:9/hook")
    decide(now)
    tell(now)
    assert "ClientConnectorError" in PropagationTask.objects.get().error


def test_a_worker_that_dies_delays_and_loses_nothing(receiver: Receiver, now: datetime) -> None:
    system(now, url=receiver.url)
    decide(now)
    assert len(propagation.claim(now=now, limit=10)) == 1  # and never comes back
    assert propagation.claim(now=now, limit=10) == []
    assert tell(now + propagation.LEASE) == 1
    assert PropagationTask.objects.get().state == "acknowledged"


def test_202_means_told_and_the_acknowledgement_comes_over_the_api(receiver: Receiver, now: datetime) -> None:
    client, _ = make_client("propagation:write")
    system(now, url=receiver.url, client=client)
    receiver.answers = [202]
    decide(now)
    tell(now)
    task = PropagationTask.objects.get()
    assert (task.state, task.told_at) == ("told", now)
    caller = Client(headers={"Authorization": f"Bearer {make_token('propagation:write', client=client)}"})
    answer = post(caller, f"propagation/{task.uid}/acknowledge/", None)
    assert (answer.status_code, answer.json()["state"]) == (200, "acknowledged")
    again = post(caller, f"propagation/{task.uid}/acknowledge/", None)
    assert again.json() == answer.json()
    assert actions() == ["propagation.told", "propagation.acknowledged"]


def test_a_system_that_asks_gets_its_own_tasks_only(now: datetime) -> None:
    client, _ = make_client("propagation:read")
    mine, _ = system(now, client=client)
    other, _ = system(now, key="other", name="Other", url="https://other.example.com")
    records = [decide(now) for _ in range(3)]
    caller = Client(headers={"Authorization": f"Bearer {make_token('propagation:read', client=client)}"})
    first = caller.get("/api/v1/propagation/?limit=2").json()
    second = caller.get(f"/api/v1/propagation/?limit=2&cursor={first['next']}").json()
    listed = [*first["results"], *second["results"]]
    assert [task["subject"] for task in listed] == [str(record.subject.uid) for record in records]
    assert second["next"] is None
    assert set(mine.tasks.values_list("state", flat=True)) == {"told"}
    assert set(other.tasks.values_list("state", flat=True)) == {"pending"}


def test_nobody_acknowledges_for_another(now: datetime) -> None:
    client, _ = make_client("propagation:write")
    system(now, client=client)
    other, _ = system(now, key="other", name="Other", url="https://other.example.com")
    decide(now)
    task = other.tasks.get()
    caller = Client(headers={"Authorization": f"Bearer {make_token('propagation:write', client=client)}"})
    assert post(caller, f"propagation/{task.uid}/acknowledge/", None).status_code == 404
    assert post(caller, f"propagation/{uuid4()}/acknowledge/", None).status_code == 404
    assert post(api("propagation:write"), f"propagation/{task.uid}/acknowledge/", None).status_code == 404
    assert api("propagation:read").get("/api/v1/propagation/").json() == {"results": [], "next": None}
    task.refresh_from_db()
    assert task.state == "pending"


def test_what_is_about_to_be_late_is_escalated_once(now: datetime, settings: LazySettings) -> None:
    settings.ALERT_ADDRESSES = ["officer@example.com"]
    system(now, url="https://crm.example.com")
    decide(now)
    assert propagation.about_to_be_late(now=now + 47 * HOUR) == []
    tasks = propagation.about_to_be_late(now=now + 48 * HOUR)
    alerts.propagation_is_late(tasks)
    propagation.escalated(tasks=tasks, now=now + 48 * HOUR)
    (message,) = mail.outbox
    assert message.to == ["officer@example.com"]
    assert "Old CRM" in message.body
    assert propagation.about_to_be_late(now=now + 90 * HOUR) == []
    assert actions() == ["propagation.escalated"]


def test_a_late_acknowledgement_says_so(now: datetime) -> None:
    found, _ = system(now, url="https://crm.example.com")
    decide(now)
    task = found.tasks.get()
    propagation.acknowledge(system=found, uid=task.uid, actor="user:anna", now=now + 80 * HOUR, note="letter")
    details = json.loads(bytes(AuditLeaf.objects.get(action="propagation.acknowledged").data))["details"]
    assert (details["late"], details["note"], details["seconds"]) == (True, "letter", 80 * 3600)


def test_secrets_are_stored_encrypted_and_renewed(now: datetime) -> None:
    found, secret = system(now, url="https://crm.example.com")
    assert secret.encode() not in bytes(found.secret_encrypted)
    assert downstream.secret_of(found) == secret
    renewed = downstream.renew_secret(system=found, actor="test", now=now)
    found.refresh_from_db()
    assert downstream.secret_of(found) == renewed != secret


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"url": "http://crm.example.com/hook"}, "url"), ({"url": "http://localhost.example.com/"}, "url"),
        ({"url": "ftp://crm.example.com"}, "url"), ({"url": ""}, "__all__"), ({"key": "a b"}, "key"),
    ],
)  # fmt: skip
def test_a_system_that_cannot_be_told_safely_is_refused(fields: dict[str, str], named: str, now: datetime) -> None:
    with pytest.raises(ValidationError) as caught:
        system(now, **fields)
    assert named in caught.value.message_dict
    assert not DownstreamSystem.objects.exists()


CONSTRAINTS = {
    "propagation_once_per_system": {},
    "propagation_acknowledged_has_time": {"state": "acknowledged", "record": None},
    "propagation_told_has_time": {"state": "told", "record": None},
    "propagation_deadline_after_creation": {"deadline_at": datetime(2020, 1, 1).astimezone(), "record": None},
}


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_the_database_refuses_what_cannot_be(name: str, now: datetime) -> None:
    found, _ = system(now, url="https://crm.example.com")
    decide(now)
    task = PropagationTask.objects.get()
    fields = {"record": task.record, "deadline_at": now + HOUR, **CONSTRAINTS[name]}
    if fields["record"] is None:
        found.is_active = False
        found.save()
        fields["record"] = decide(now)
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        PropagationTask.objects.create(system=found, created_at=now, due_at=now, **fields)


def test_a_system_without_a_way_to_it_is_refused_by_the_database(now: datetime) -> None:
    found, _ = system(now, url="https://crm.example.com")
    with pytest.raises(IntegrityError, match="downstream_can_be_reached"), transaction.atomic():
        DownstreamSystem.objects.filter(pk=found.pk).update(url="")
