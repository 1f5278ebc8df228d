"""`Idempotency-Key` on writes."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client

from compliance.models import AuditLeaf, IdempotencyRecord, Suppression
from tests.factories.api import api, make_client, post
from tests.factories.compliance import PurposeFactory

pytestmark = pytest.mark.django_db
BODY = {"channel": "email", "address": "someone@example.com", "source": "shop"}
LATER = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


@pytest.fixture
def client() -> Client:
    PurposeFactory()
    return api("consents:write")


def unsubscribe(client: Client, body: dict[str, Any] = BODY, key: str = "k1") -> Any:
    return post(client, "unsubscribe/", body, Idempotency_Key=key)


def test_a_repeat_gets_the_same_answer_and_does_nothing(client: Client) -> None:
    first = unsubscribe(client)
    # What the second would do if it ran: suppress again after the first was lifted.
    Suppression.objects.update(lifted_at=LATER, lifted_by="test")
    leaves = AuditLeaf.objects.count()
    second = unsubscribe(client)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert Suppression.objects.filter(lifted_at=None).count() == 0
    assert AuditLeaf.objects.count() == leaves


def test_without_a_key_a_repeat_is_a_new_request(client: Client) -> None:
    post(client, "unsubscribe/", BODY)
    Suppression.objects.update(lifted_at=LATER, lifted_by="test")
    post(client, "unsubscribe/", BODY)
    assert Suppression.objects.filter(lifted_at=None).count() == 1
    assert not IdempotencyRecord.objects.exists()


def test_a_status_of_its_own_is_repeated_too() -> None:
    client = api("profiles:write")
    body = {"source": "shop", "external_id": "C1"}
    answers = [post(client, "profiles/", body, Idempotency_Key="k1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


def test_the_key_with_another_body_is_refused(client: Client) -> None:
    unsubscribe(client)
    answer = unsubscribe(client, {**BODY, "address": "other@example.com"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_key_reused"
    assert Suppression.objects.count() == 1


def test_the_key_of_another_endpoint_is_refused() -> None:
    client = api("profiles:write", "events:write")
    body = {"source": "shop", "external_id": "C1"}
    assert post(client, "profiles/", body, Idempotency_Key="k1").status_code == 201
    assert post(client, "events/", body, Idempotency_Key="k1").status_code == 422


def test_two_clients_may_choose_the_same_key(client: Client) -> None:
    unsubscribe(client)
    other = unsubscribe(api("consents:write"), {**BODY, "address": "other@example.com"})
    assert other.status_code == 200
    assert Suppression.objects.count() == 2


def test_a_failed_request_is_not_kept_and_may_be_corrected(client: Client) -> None:
    assert unsubscribe(client, {**BODY, "purpose": "nothing"}).status_code == 400
    assert not IdempotencyRecord.objects.exists()
    assert unsubscribe(client).status_code == 200


def test_an_answer_that_cannot_be_kept_undoes_the_write(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer and write share a transaction: here the record breaks a constraint of the database."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE compliance_idempotencyrecord ADD CONSTRAINT no_answers CHECK (status <> 200)")
    client.raise_request_exception = False
    assert unsubscribe(client).status_code == 500
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("key", ["", "a b", "é", "a" * 256, "a\tb"])
def test_keys_that_are_none(client: Client, key: str) -> None:
    answer = unsubscribe(client, key=key)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


def test_an_answer_is_kept_for_two_days_and_then_makes_room(client: Client) -> None:
    start = datetime.now(UTC)
    unsubscribe(client)
    with time_machine.travel(start + timedelta(hours=47), tick=False):
        assert unsubscribe(api_again(client), {**BODY, "source": "other"}).status_code == 422
    with time_machine.travel(start + timedelta(hours=49), tick=False):
        assert unsubscribe(api_again(client), {**BODY, "source": "other"}).status_code == 200
    assert IdempotencyRecord.objects.count() == 1


def test_old_answers_of_others_are_removed_on_the_way(client: Client) -> None:
    unsubscribe(client, key="old")
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=49), tick=False):
        unsubscribe(api("consents:write"), key="new")
    assert list(IdempotencyRecord.objects.values_list("key", flat=True)) == ["new"]


def api_again(client: Client) -> Client:
    """The same client of the API, with a token of the time it is."""
    from compliance.models import ApiClient

    return api("consents:write", client=ApiClient.objects.get())


@pytest.mark.django_db(transaction=True)
def test_the_same_request_twice_at_once_is_done_once() -> None:
    partner, _ = make_client("profiles:write")
    clients = [api("profiles:write", client=partner) for _ in range(4)]
    answers: list[Any] = []
    start = threading.Barrier(len(clients))

    def call(client: Client) -> None:
        start.wait()
        body = {"source": "shop", "external_id": "C1"}
        answers.append(post(client, "profiles/", body, Idempotency_Key="k1"))
        connection.close()

    threads = [threading.Thread(target=call, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.content for answer in answers}) == 1
    assert AuditLeaf.objects.filter(action="profiles.upserted").count() == 1
