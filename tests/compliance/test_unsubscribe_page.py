"""The page behind the unsubscribe link (RFC 8058)."""

import pytest
from django.test import Client

from compliance import addresses, tokens
from compliance.models import AuditLeaf, ConsentRecord, ConsentState, Subject, Suppression
from tests.factories.compliance import PurposeFactory, SubjectFactory

pytestmark = pytest.mark.django_db
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def subject() -> Subject:
    return SubjectFactory()


@pytest.fixture
def url(subject: Subject) -> str:
    digest = addresses.digest("email", "someone@example.com")
    claim = tokens.Claim(subject.pk, PurposeFactory().pk, "email", digest, reference=42)
    return f"/u/{tokens.issue(claim)}"


@pytest.mark.parametrize("method", ["get", "head"])
def test_reading_the_page_changes_nothing(client: Client, url: str, method: str) -> None:
    answer = getattr(client, method)(url)
    assert answer.status_code == 200
    assert not ConsentRecord.objects.exists()
    assert not Suppression.objects.exists()
    assert not AuditLeaf.objects.exists()
    assert not answer.cookies


def test_one_click_withdraws_and_suppresses_before_the_answer(client: Client, url: str, subject: Subject) -> None:
    answer = client.post(url, ONE_CLICK)
    assert answer.status_code == 200
    assert not answer.cookies
    state = ConsentState.objects.get(subject=subject)
    assert (state.action, state.record.method) == ("withdrawn", "one_click")
    assert state.record.evidence == {"delivery": 42}
    assert Suppression.objects.get().reason == "unsubscribed"


def test_the_button_of_the_page_withdraws(client: Client, url: str) -> None:
    assert client.post(url, {"confirm": "yes"}).status_code == 200
    assert ConsentRecord.objects.get().method == "link"


def test_a_second_click_is_answered_alike_and_adds_nothing(client: Client, url: str) -> None:
    assert [client.post(url, ONE_CLICK).status_code for _ in range(2)] == [200, 200]
    assert ConsentRecord.objects.count() == 1
    assert Suppression.objects.count() == 1


@pytest.mark.parametrize("body", [{}, {"List-Unsubscribe": "one-click"}, {"list-unsubscribe": "One-Click"}])
def test_a_post_with_another_body_changes_nothing(client: Client, url: str, body: dict[str, str]) -> None:
    assert client.post(url, body).status_code == 400
    assert not ConsentRecord.objects.exists()


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(client: Client, url: str, method: str) -> None:
    assert getattr(client, method)(url).status_code == 405


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_broken_link_says_so(client: Client, url: str, method: str) -> None:
    answer = getattr(client, method)(url[:-3])
    assert answer.status_code == 404
    assert b"does not work" in answer.content


def test_the_page_loads_nothing_and_needs_no_script(client: Client, url: str) -> None:
    page = client.get(url).content.decode()
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert 'name="viewport"' in page


def test_the_link_works_for_a_person_who_is_long_gone(client: Client) -> None:
    claim = tokens.Claim(10**12, PurposeFactory().pk, "email", b"d" * 32, reference=1)
    assert client.post(f"/u/{tokens.issue(claim)}", ONE_CLICK).status_code == 200
    assert bytes(Suppression.objects.get().digest) == b"d" * 32
