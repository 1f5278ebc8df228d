"""Requests of people: steps in their order, deadlines, who may."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from compliance import holdings
from compliance.models import AuditLeaf, Subject, SubjectRequest
from compliance.services import alerts, subject_requests
from compliance.services.subject_requests import SubjectRequestError
from tests.factories.api import api, post
from tests.factories.compliance import SubjectFactory

pytestmark = pytest.mark.django_db
WHO: dict[str, Any] = {"actor": "user:anna"}


def receive(now: datetime, kind: str = "access") -> SubjectRequest:
    return subject_requests.receive(subject=SubjectFactory(), kind=kind, source="letter", now=now, **WHO)


def ready(now: datetime, kind: str = "access") -> SubjectRequest:
    return subject_requests.confirm_identity(request=receive(now, kind), how="called back", now=now, **WHO)


def steps() -> list[str]:
    return list(AuditLeaf.objects.filter(object_type="request").order_by("pk").values_list("action", flat=True))


def test_the_deadline_runs_from_the_receipt(now: datetime) -> None:
    request = receive(now)
    assert request.due_at == now + timedelta(days=30)
    assert steps() == ["request.received"]


@pytest.mark.parametrize("fields", [{"kind": "sell"}, {"source": " "}])
def test_a_request_without_kind_or_source_is_refused(fields: dict[str, str], now: datetime) -> None:
    with pytest.raises(ValidationError):
        subject_requests.receive(
            **{"subject": SubjectFactory(), "kind": "access", "source": "x", **fields}, now=now, **WHO
        )


def test_nothing_is_handed_out_or_erased_before_the_identity_is_checked(now: datetime) -> None:
    with pytest.raises(SubjectRequestError, match="identity"):
        subject_requests.package(request=receive(now), now=now, **WHO)
    erasure = receive(now, "erasure")
    with pytest.raises(SubjectRequestError, match="identity"):
        subject_requests.erase(request=erasure, now=now, **WHO)
    with pytest.raises(SubjectRequestError, match="how"):
        subject_requests.confirm_identity(request=erasure, how=" ", now=now, **WHO)
    assert Subject.objects.get(pk=erasure.subject_id).erased_at is None


def test_a_request_gives_what_it_asks_for_and_nothing_else(now: datetime) -> None:
    with pytest.raises(SubjectRequestError, match="something else"):
        subject_requests.erase(request=ready(now), now=now, **WHO)
    with pytest.raises(SubjectRequestError, match="something else"):
        subject_requests.package(request=ready(now, "erasure"), now=now, **WHO)


def test_a_closed_request_stays_closed(now: datetime) -> None:
    request = subject_requests.fulfil(request=ready(now, "correction"), answer="Corrected the name.", now=now, **WHO)
    assert (request.state, request.closed_by) == ("fulfilled", "user:anna")
    for act in (
        lambda: subject_requests.refuse(request=request, answer="no", now=now, **WHO),
        lambda: subject_requests.fulfil(request=request, answer="again", now=now, **WHO),
        lambda: subject_requests.confirm_identity(request=request, how="again", now=now, **WHO),
    ):
        with pytest.raises(SubjectRequestError, match="closed"):
            act()
    assert steps() == ["request.received", "request.identity_checked", "request.fulfilled"]


def test_a_refusal_needs_a_reason_and_no_identity(now: datetime) -> None:
    request = receive(now)
    with pytest.raises(SubjectRequestError, match="reason"):
        subject_requests.refuse(request=request, answer="", now=now, **WHO)
    refused = subject_requests.refuse(request=request, answer="Not the person.", now=now, **WHO)
    assert refused.state == "refused"


def test_a_late_answer_is_recorded_as_late(now: datetime) -> None:
    subject_requests.fulfil(request=ready(now), answer="Sent.", now=now + timedelta(days=31), **WHO)
    leaf = AuditLeaf.objects.get(action="request.fulfilled")
    assert json.loads(bytes(leaf.data))["details"] | {"subject": 0} == {"subject": 0, "days": 31, "late": True}


def test_staff_are_warned_in_time(now: datetime, settings: LazySettings) -> None:
    settings.ALERT_ADDRESSES = ["officer@example.com"]
    receive(now)
    alerts.requests_are_due(list(subject_requests.due_soon(now=now + timedelta(days=22))))
    assert mail.outbox == []
    alerts.requests_are_due(list(subject_requests.due_soon(now=now + timedelta(days=23))))
    assert "1 requests" in mail.outbox[0].body


def test_an_erasure_that_fails_half_way_erases_nothing(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_subject_id: int, _now: datetime) -> int:
        raise OSError("disk full")

    def nothing(_subject_id: int) -> list[holdings.Row]:
        return []

    monkeypatch.setattr(holdings, "_register", {"broken": holdings.Holding("broken", nothing, broken)})
    request = ready(now, "erasure")
    with pytest.raises(OSError, match="disk full"):
        subject_requests.erase(request=request, now=now, **WHO)
    request.refresh_from_db()
    assert (request.state, request.subject.erased_at) == ("open", None)


def test_two_holdings_of_one_name_are_refused() -> None:
    taken = holdings.all_holdings()[0].name
    with pytest.raises(ValueError, match=taken):
        holdings.register(holdings.Holding(taken, lambda _subject_id: []))


def test_a_partner_hands_a_request_in_and_follows_it(now: datetime) -> None:
    subject = SubjectFactory()
    body = {"subject": str(subject.uid), "kind": "erasure", "source": "privacy page"}
    made = post(api("requests:write"), "subject-requests/", body)
    assert made.status_code == 201
    shown = api("requests:read").get(f"/api/v1/subject-requests/{made.json()['uid']}/").json()
    assert shown == made.json()
    assert (shown["state"], shown["subject"]) == ("open", str(subject.uid))
    for wrong in ({"kind": "sell"}, {"subject": "01890a5d-ac96-774b-bcce-b302099a8057"}, {"source": ""}):
        answer = post(api("requests:write"), "subject-requests/", {**body, **wrong})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == next(iter(wrong))


WRONG = {
    "request_closed_iff_not_open": {"state": "fulfilled", "identity_checked_by": "a"},
    "request_identity_checked_pair": {"identity_checked_by": "a"},
    "request_fulfilled_after_identity_check": {"state": "fulfilled", "closed_by": "a"},
    "request_refused_with_answer": {"state": "refused", "closed_by": "a"},
}


@pytest.mark.parametrize("name", WRONG)
def test_the_database_refuses_what_cannot_be(name: str, now: datetime) -> None:
    fields = dict(WRONG[name])
    if "closed_by" in fields:
        fields["closed_at"] = now
    if fields.get("identity_checked_by") and name != "request_identity_checked_pair":
        fields["identity_checked_at"] = now
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        SubjectRequest.objects.filter(pk=receive(now).pk).update(**fields)
