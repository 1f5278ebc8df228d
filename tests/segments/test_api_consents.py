"""Consents and unsubscribing over the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from compliance import addresses
from compliance.models import AuditLeaf, ConsentRecord, ConsentState, Notice, Suppression
from segments.models import Profile
from tests.factories.api import api, make_client, post
from tests.factories.compliance import NoticeFactory, PurposeFactory
from tests.factories.segments import make_profile

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return api("consents:read", "consents:write")


@pytest.fixture(autouse=True)
def profile() -> Profile:
    return make_profile(1)


@pytest.fixture(autouse=True)
def notice() -> Notice:
    return NoticeFactory(version=3, language="en")


def decision(profile: Profile, **changes: Any) -> dict[str, Any]:
    given = {
        "subject": str(profile.subject.uid),
        "purpose": "offers",
        "channel": "email",
        "action": "given",
        "method": "form",
        "notice": {"version": 3, "language": "en"},
        "source": "checkout page",
        "occurred_at": "2026-03-01T12:00:00+08:00",
        "evidence": {"form": "checkout-7"},
    }
    return {name: value for name, value in {**given, **changes}.items() if value is not ...}


def unsubscribe(client: Client, **changes: Any) -> Any:
    wish = {"channel": "email", "address": "person-1@example.com", "source": "hotline", **changes}
    return post(client, "unsubscribe/", {name: value for name, value in wish.items() if value is not ...})


def fields(answer: Any) -> list[str]:
    assert answer.status_code == 400, answer.content
    return [error["field"] for error in answer.json()["errors"]]


def test_a_consent_is_recorded_with_its_proof(profile: Profile) -> None:
    partner, _ = make_client("consents:write")
    answer = post(api("consents:write", client=partner), "consents/", decision(profile))
    assert answer.status_code == 201
    shown = answer.json()
    record = ConsentRecord.objects.get()
    assert shown["uid"] == str(record.uid)
    assert shown["notice"] == {"version": 3, "language": "en", "text_sha256": record.notice.text_sha256}
    assert (shown["subject"], shown["purpose"], shown["is_current"]) == (str(profile.subject.uid), "offers", True)
    assert record.occurred_at == datetime(2026, 3, 1, 4, tzinfo=UTC)
    assert shown["occurred_at"] == "2026-03-01T04:00:00Z"
    assert record.evidence == {"form": "checkout-7"}
    assert record.recorded_by == f"api:{partner.client_id}"
    assert AuditLeaf.objects.filter(action="consent.given", object_id=str(record.uid)).exists()


def test_a_withdrawal_counts_from_then_on(client: Client, profile: Profile) -> None:
    post(client, "consents/", decision(profile))
    later = decision(profile, action="withdrawn", method="api", notice=..., occurred_at="2026-03-02T00:00:00Z")
    assert post(client, "consents/", later).status_code == 201
    assert ConsentState.objects.get().action == "withdrawn"


def test_an_older_decision_is_kept_and_does_not_count(client: Client, profile: Profile) -> None:
    post(client, "consents/", decision(profile, action="withdrawn", notice=...))
    answer = post(client, "consents/", decision(profile, occurred_at="2026-02-01T00:00:00Z"))
    assert (answer.status_code, answer.json()["is_current"]) == (201, False)
    assert ConsentState.objects.get().action == "withdrawn"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subject": "01890a5d-ac96-774b-bcce-b302099a8057"}, "subject"),
        ({"subject": "1"}, "subject"),
        ({"subject": 1}, "subject"),
        ({"purpose": "nothing"}, "purpose"),
        ({"purpose": 1}, "purpose"),
        ({"channel": "pigeon"}, "channel"),
        ({"action": "expired"}, "action"),
        ({"method": "staff"}, "method"),
        ({"method": "import"}, "method"),
        ({"notice": ...}, "notice"),
        ({"notice": {"version": 4, "language": "en"}}, "notice"),
        ({"notice": {"version": 2**31, "language": "en"}}, "notice.version"),
        ({"notice": {"version": 3}}, "notice.language"),
        ({"notice": 3}, "notice"),
        ({"source": ""}, "source"),
        ({"source": "x" * 121}, "source"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}, "occurred_at"),
        ({"expires_at": "2026-02-01T00:00:00Z"}, "expires_at"),
        ({"evidence": "yes"}, "evidence"),
        ({"proof": "yes"}, "proof"),
    ],
)
def test_bad_decisions_are_refused_by_field(
    client: Client, profile: Profile, changes: dict[str, Any], field: str
) -> None:
    assert fields(post(client, "consents/", decision(profile, **changes))) == [field]
    assert not ConsentRecord.objects.exists()


def test_the_notice_must_be_of_the_purpose(client: Client, profile: Profile) -> None:
    PurposeFactory(key="survey", name="Surveys")
    assert fields(post(client, "consents/", decision(profile, purpose="survey"))) == ["notice"]


def test_the_history_is_read_page_by_page(client: Client, profile: Profile) -> None:
    other = make_profile(2)
    post(client, "consents/", decision(other))
    for day in range(1, 6):
        post(client, "consents/", decision(profile, occurred_at=f"2026-02-0{day}T00:00:00Z"))
    seen: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        query = {"subject": str(profile.subject.uid), "limit": "2", **cursor}
        page = client.get("/api/v1/consents/", query).json()
        seen += page["results"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert [record["occurred_at"][:10] for record in seen] == [f"2026-02-0{day}" for day in range(1, 6)]
    assert [record["is_current"] for record in seen] == [False] * 4 + [True]


@pytest.mark.parametrize("query", [{}, {"subject": "1"}, {"subject": "\0"}, {"subject": ""}])
def test_a_history_is_one_persons(client: Client, query: dict[str, str]) -> None:
    assert fields(client.get("/api/v1/consents/", query)) == ["subject"]


def test_unsubscribing_an_address_withdraws_and_suppresses(client: Client, profile: Profile) -> None:
    post(client, "consents/", decision(profile))
    answer = unsubscribe(client, address=" Person-1@Example.com ", purpose="offers")
    assert (answer.status_code, answer.json()) == (200, {"results": [{"purpose": "offers", "channel": "email"}]})
    state = ConsentState.objects.get(subject=profile.subject)
    assert (state.action, state.record.method, state.record.source) == ("withdrawn", "api", "hotline")
    assert bytes(Suppression.objects.get().digest) == addresses.digest("email", "person-1@example.com")


def test_an_unknown_address_is_suppressed_and_the_answer_is_the_same(client: Client) -> None:
    known = unsubscribe(client)
    unknown = unsubscribe(client, address="nobody@example.com")
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert Suppression.objects.filter(digest=addresses.digest("email", "nobody@example.com")).exists()


def test_without_a_purpose_all_are_meant(client: Client) -> None:
    PurposeFactory(key="survey", name="Surveys")
    results = unsubscribe(client).json()["results"]
    assert {result["purpose"] for result in results} == {"offers", "survey"}


def test_a_phone_number_is_unsubscribed_from_sms(client: Client) -> None:
    assert unsubscribe(client, channel="sms", address="+44 7700 900123").status_code == 200
    assert Suppression.objects.filter(digest=addresses.digest("phone", "+447700900123"), channel="sms").exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"address": "nobody"}, "address"),
        ({"address": "12", "channel": "sms"}, "address"),
        ({"address": "x" * 300}, "address"),
        ({"channel": "inapp"}, "channel"),
        ({"purpose": "nothing"}, "purpose"),
        ({"source": ...}, "source"),
    ],
)
def test_bad_wishes_are_refused_by_field(client: Client, changes: dict[str, Any], field: str) -> None:
    assert fields(unsubscribe(client, **changes)) == [field]
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(("method", "active"), [("form", 0), ("double_opt_in", 0), ("api", 1)])
def test_only_a_fresh_consent_of_the_person_lifts_their_unsubscribing(
    client: Client, profile: Profile, method: str, active: int
) -> None:
    unsubscribe(client, purpose="offers")
    now = datetime.now(UTC).isoformat()
    assert post(client, "consents/", decision(profile, method=method, occurred_at=now)).status_code == 201
    assert Suppression.objects.filter(lifted_at=None).count() == active


def test_a_consent_from_before_the_unsubscribing_lifts_nothing(client: Client, profile: Profile) -> None:
    unsubscribe(client, purpose="offers")
    post(client, "consents/", decision(profile))
    assert Suppression.objects.filter(lifted_at=None).count() == 1


def test_nor_does_one_when_the_person_was_not_yet_known_by_the_address(client: Client) -> None:
    unsubscribe(client, address="late@example.com", purpose="offers")
    late = make_profile(9, email="late@example.com")
    post(client, "consents/", decision(late))
    assert Suppression.objects.filter(lifted_at=None).count() == 1
