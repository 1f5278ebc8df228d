"""The preference centre behind the link in every message."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from compliance import addresses, tokens
from compliance.models import ConsentRecord, ConsentState, Notice, Purpose, Subject, Suppression
from compliance.selectors.gate import blocking_reason
from compliance.services import consent, suppression
from tests.factories.compliance import NoticeFactory, PurposeFactory, SubjectFactory

pytestmark = pytest.mark.django_db
DIGEST = addresses.digest("email", "someone@example.com")


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def subject() -> Subject:
    return SubjectFactory()


@pytest.fixture
def news() -> Notice:
    return NoticeFactory(
        purpose=PurposeFactory(key="news", name="News"), version=1, language="en", text="We write news."
    )


@pytest.fixture
def offers() -> Notice:
    return NoticeFactory(
        purpose=PurposeFactory(key="offers", name="Offers"), version=1, language="en", text="We write offers."
    )


@pytest.fixture
def url(subject: Subject, news: Notice) -> str:
    token = tokens.issue(tokens.Claim(subject.pk, news.purpose_id, "email", DIGEST, reference=42))
    return f"/u/{token}/preferences"


def give(subject: Subject, notice: Notice, channel: str = "email") -> None:
    decision = consent.Decision(
        subject_id=subject.pk, purpose_id=notice.purpose_id, channel=channel, action="given", method="form",
        notice_id=notice.pk, source="shop", occurred_at=timezone.now() - timedelta(days=1),
    )  # fmt: skip
    consent.record(decision=decision, actor="test", now=timezone.now() - timedelta(days=1))


def box(notice: Notice, channel: str = "email") -> dict[str, int]:
    return {f"yes-{notice.purpose_id}-{channel}": notice.pk}


def reason(subject: Subject, notice: Notice) -> str:
    """What the gate says of writing to the address of the link."""
    from django.db.models import BinaryField, Value

    asked = Subject.objects.filter(pk=subject.pk).annotate(digest=Value(DIGEST, output_field=BinaryField()))
    gate = blocking_reason(
        subject="pk", digest="digest", purpose_id=notice.purpose_id, channel="email", now=timezone.now()
    )
    found: str = asked.annotate(reason=gate).values_list("reason", flat=True)[0]
    return found


@pytest.mark.parametrize("method", ["get", "head"])
def test_reading_shows_what_was_chosen_and_changes_nothing(
    client: Client, url: str, subject: Subject, news: Notice, offers: Notice, method: str
) -> None:
    give(subject, news)
    before = ConsentRecord.objects.count()
    answer = getattr(client, method)(url)
    assert (answer.status_code, ConsentRecord.objects.count(), dict(answer.cookies)) == (200, before, {})
    if method == "get":
        page = answer.content.decode()
        assert f'name="yes-{news.purpose_id}-email" value="{news.pk}" checked' in page
        assert f'name="yes-{offers.purpose_id}-email" value="{offers.pk}">' in page
        assert "We write offers." in page
        assert "<script" not in page


def test_ticking_gives_and_unticking_withdraws(
    client: Client, url: str, subject: Subject, news: Notice, offers: Notice
) -> None:
    give(subject, news)
    answer = client.post(url, box(offers))
    assert b"in effect from now on" in answer.content
    states = {state.purpose_id: state for state in ConsentState.objects.all()}
    assert states[news.purpose_id].action == "withdrawn"
    record = states[offers.purpose_id].record
    assert (record.action, record.method, record.notice, record.source) == (
        "given",
        "form",
        offers,
        "preference centre",
    )
    assert (reason(subject, news), reason(subject, offers)) == ("suppressed", "")


def test_saving_what_stands_there_adds_nothing(client: Client, url: str, subject: Subject, news: Notice) -> None:
    give(subject, news)
    before = ConsentRecord.objects.count()
    client.post(url, box(news))
    assert ConsentRecord.objects.count() == before
    assert not Suppression.objects.exists()


def test_a_person_may_come_back(client: Client, url: str, subject: Subject, news: Notice) -> None:
    give(subject, news)
    client.post(url, {})
    assert reason(subject, news) == "suppressed"
    client.post(url, box(news))
    assert reason(subject, news) == ""


def test_a_bounce_is_not_lifted_by_a_tick(client: Client, url: str, subject: Subject, news: Notice) -> None:
    suppression.add(
        digest=DIGEST, channel="email", purpose_id=None, reason="hard_bounce", source="test", actor="test",
        now=timezone.now(),
    )  # fmt: skip
    client.post(url, box(news))
    assert reason(subject, news) == "suppressed"


def test_other_channels_are_offered_once_they_were_decided_about(
    client: Client, url: str, subject: Subject, news: Notice
) -> None:
    assert f"yes-{news.purpose_id}-sms" not in client.get(url).content.decode()
    give(subject, news, channel="sms")
    client.post(url, {})
    assert ConsentState.objects.get(channel="sms").action == "withdrawn"
    assert not Suppression.objects.exists()  # nothing was said about this address


def test_stopping_everything_reaches_what_is_still_to_come(
    client: Client, url: str, subject: Subject, news: Notice
) -> None:
    give(subject, news)
    give(subject, news, channel="sms")
    client.post(url, {"stop": "all", **box(news)})
    assert set(ConsentState.objects.values_list("action", flat=True)) == {"withdrawn"}
    later = NoticeFactory(purpose=PurposeFactory(key="later", name="Later"))
    give(subject, later)
    assert reason(subject, later) == "suppressed"


def test_a_yes_to_words_that_have_changed_changes_nothing(
    client: Client, url: str, subject: Subject, news: Notice, offers: Notice
) -> None:
    give(subject, news)
    NoticeFactory(purpose=offers.purpose, version=2, language="en", text="Other words.")
    answer = client.post(url, box(offers))
    assert answer.status_code == 409
    assert b"Other words." in answer.content
    assert [state.action for state in ConsentState.objects.all()] == ["given"]


def test_the_notice_is_in_the_readers_language_and_that_one_is_recorded(
    client: Client, url: str, subject: Subject, news: Notice
) -> None:
    chinese = NoticeFactory(purpose=news.purpose, version=1, language="zh-Hans", text="我们发送新闻。")
    page = client.get(url, headers={"Accept-Language": "zh-CN"}).content.decode()
    assert "我们发送新闻。" in page
    assert 'lang="zh-hans"' in page
    client.post(url, box(chinese), headers={"Accept-Language": "zh-CN"})
    assert ConsentState.objects.get().record.notice == chinese


def test_purposes_out_of_use_or_without_words_are_not_offered(client: Client, url: str, news: Notice) -> None:
    PurposeFactory(key="silent", name="Silent purpose")
    Purpose.objects.filter(pk=NoticeFactory(purpose=PurposeFactory(key="old", name="Old one")).purpose_id).update(
        is_active=False
    )
    page = client.get(url).content.decode()
    assert "Silent purpose" not in page
    assert "Old one" not in page


def test_forged_boxes_are_ignored(client: Client, url: str, news: Notice) -> None:
    forged = {
        "yes-999-email": "1",
        f"yes-{news.purpose_id}-pigeon": str(news.pk),
        "yes-x-email": "1",
        "yes-1": "x" * 50,
    }
    assert client.post(url, forged).status_code == 200
    assert not ConsentRecord.objects.exists()


def test_a_person_who_is_gone_is_led_to_unsubscribing(client: Client, news: Notice) -> None:
    token = tokens.issue(tokens.Claim(10**12, news.purpose_id, "email", DIGEST, reference=1))
    answer = client.get(f"/u/{token}/preferences")
    assert (answer.status_code, answer["Location"]) == (302, f"/u/{token}")


def test_a_broken_link_says_so(client: Client, url: str) -> None:
    assert client.get(url.replace("/preferences", "x/preferences")).status_code == 404
