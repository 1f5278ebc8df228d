"""From plan to hand-over on channels other than e-mail, with real servers and a real database."""

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.channels.file import path_of
from campaigns.models import Batch, Delivery, InboxMessage, Run, SendingChannel
from campaigns.services import dispatch, runs
from campaigns.services.campaigns import CampaignError
from compliance import webhooks
from compliance.services import consent
from segments.models import Profile
from tests.campaigns.gateway import CLOSE, SILENCE, Gateway, Received, Reply
from tests.campaigns.stage import claim, send_all
from tests.factories.api import api
from tests.factories.campaigns import (
    MessageTemplateFactory,
    make_approved_campaign,
    make_channel,
    make_people_with_phones,
)

pytestmark = pytest.mark.django_db
SECRET = webhooks.new_secret()
ENDING = "拒收请回复R"


def launch(now: datetime, channel: SendingChannel, *, text: str = "Hi {{ profile.name }}", subject: str = "") -> Run:
    template = MessageTemplateFactory(kind=channel.kind, subject=subject, text=text, html="")
    make_approved_campaign(channel=channel, template=template)
    (run,) = runs.launch_due(now=now, actor="system")
    return runs.plan(run=run, now=now, actor="system")


def sms(gateway: Gateway, *, per_call: int = 10, batch_size: int = 100, **config: Any) -> SendingChannel:
    settings = {"url": gateway.url, "timeout": 0.5, "per_call": per_call, **config}
    return make_channel(
        "sms", "gateway", credential="s3cret", config=settings, optout_text=ENDING, batch_size=batch_size
    )


def withdraw(person: Profile, run: Run, channel: str, now: datetime) -> None:
    consent.withdraw(
        subject_id=person.pk, purpose_id=run.campaign.purpose_id, channel=channel, method="staff", source="test",
        actor="test", now=now,
    )  # fmt: skip


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


class TestSms:
    def test_everybody_gets_one_message_with_the_opt_out_text(self, now: datetime) -> None:
        people = make_people_with_phones(25)
        with Gateway() as gateway:
            channel = sms(gateway)
            run = launch(now, channel)
            assert send_all(now) == {"sent": 25}
            assert send_all(now + timedelta(days=1)) == {}
        assert [len(one.body["messages"]) for one in gateway.received] == [10, 10, 5]
        assert sorted(message["id"] for message in gateway.messages) == sorted(
            f"{run.uid.hex}.{person.pk}.0" for person in people
        )
        first = gateway.messages[0]
        assert (first["to"], first["text"]) == ("+8613800000000", f"Hi Reader 0{ENDING}")
        assert gateway.received[0].headers["authorization"] == "Bearer s3cret"
        channel.refresh_from_db()
        assert (channel.last_success_at, channel.last_error) == (now, "")
        assert runs.finish_done(now=now) == [run]

    def test_withdrawal_after_planning_wins(self, now: datetime) -> None:
        people = make_people_with_phones(6)
        with Gateway() as gateway:
            run = launch(now, sms(gateway))
            withdraw(people[2], run, "sms", now)
            assert send_all(now) == {"sent": 5}
        assert people[2].pk not in {int(message["id"].split(".")[1]) for message in gateway.messages}
        assert Delivery.objects.get(profile=people[2]).reason == "consent_withdrawn"

    def test_withdrawal_between_two_calls_wins(self, now: datetime) -> None:
        people = make_people_with_phones(12)
        withdrawn = []
        with Gateway() as gateway:
            run = launch(now, sms(gateway, per_call=10))
            batch = claim(now)

            def clock() -> datetime:
                if gateway.received and not withdrawn:
                    withdrawn.append(people[11])
                    withdraw(people[11], run, "sms", now)
                return now

            assert dispatch.send_batch(batch=batch, clock=clock)["sent"] == 11
        assert people[11].pk not in {int(message["id"].split(".")[1]) for message in gateway.messages}

    def test_half_a_batch(self, now: datetime) -> None:
        make_people_with_phones(4)
        codes = {"0": "OK", "1": "BUSY", "2": "BAD"}

        def some(received: Received) -> Reply:
            listing = [
                {"id": message["id"], "code": codes[message["to"][-1]]}
                for message in received.body["messages"]
                if message["to"][-1] in codes
            ]
            return Reply(200, {"results": listing})

        with Gateway(some) as gateway:
            launch(
                now,
                sms(
                    gateway, results_field="results", result_key_field="id", result_code_field="code",
                    success_codes="OK", retryable_codes="BUSY",
                ),
            )  # fmt: skip
            assert send_all(now) == {"sent": 1, "planned": 1, "failed": 1, "unknown": 1}
            codes["1"] = "OK"
            assert send_all(now + timedelta(minutes=1)) == {"sent": 1}
            assert send_all(now + timedelta(days=1)) == {}
        tries = Counter(message["to"][-1] for message in gateway.messages)
        assert tries == {"0": 1, "1": 2, "2": 1, "3": 1}

    def test_too_many_requests_waits_as_long_as_the_gateway_asks(self, now: datetime) -> None:
        make_people_with_phones(2)
        with Gateway(lambda _received: Reply(429, headers={"Retry-After": "600"})) as gateway:
            launch(now, sms(gateway))
            assert send_all(now) == {"planned": 2}
            assert Batch.objects.get().due_at == now + timedelta(seconds=600)
            gateway.script = lambda _received: Reply()
            assert send_all(now + timedelta(seconds=600)) == {"sent": 2}

    @pytest.mark.parametrize("reply", [SILENCE, CLOSE, Reply(504)])
    def test_what_may_have_been_sent_is_never_sent_again(self, now: datetime, reply: Any) -> None:
        make_people_with_phones(3)
        with Gateway(lambda _received: reply) as gateway:
            launch(now, sms(gateway))
            assert send_all(now) == {"unknown": 3}
            gateway.script = lambda _received: Reply()
            assert send_all(now + timedelta(days=1)) == {}
        assert len(gateway.messages) == 3

    def test_dead_gateway_costs_no_attempts(self, now: datetime) -> None:
        make_people_with_phones(3)
        with Gateway() as gateway:
            channel = sms(gateway)
        launch(now, channel)
        assert send_all(now)["sent"] == 0
        assert set(Delivery.objects.values_list("state", "attempts")) == {("planned", 0)}
        assert Batch.objects.get().due_at == now + timedelta(seconds=30)
        channel.refresh_from_db()
        assert channel.last_error_at == now
        assert "cannot connect" in channel.last_error

    def test_too_long_for_one_person_fails_for_that_person(self, now: datetime) -> None:
        one, _other = make_people_with_phones(2)
        Profile.objects.filter(pk=one.pk).update(city="X" * 30)
        with Gateway() as gateway:
            launch(now, sms(gateway), text="Hi {{ profile.city }}")
            assert send_all(now) == {"sent": 1, "failed": 1}
        assert "30" in Delivery.objects.get(profile=one).error

    def test_too_long_template_is_not_submitted(self, now: datetime) -> None:
        with Gateway() as gateway, pytest.raises(CampaignError, match="36 characters"):
            launch(now, sms(gateway), text="X" * 30)

    def test_statements_do_not_grow_with_the_number_of_messages(self, now: datetime) -> None:
        make_people_with_phones(60)
        counts = []
        with Gateway() as gateway:
            channel = sms(gateway, per_call=30, batch_size=30)
            launch(now, channel)
            Delivery.objects.filter(pk__in=Delivery.objects.order_by("profile_id").values("pk")[:25]).update(
                state="cancelled"
            )
            for _ in range(2):
                with CaptureQueriesContext(connection) as queries:
                    dispatch.send_batch(batch=claim(now), clock=lambda: now)
                counts.append(len(queries))
        assert [len(one.body["messages"]) for one in gateway.received] == [5, 30]
        assert counts[0] == counts[1]


class TestWebhook:
    def test_each_post_is_signed_and_names_the_person_by_public_id(self, now: datetime) -> None:
        people = make_people_with_phones(3, channel="webhook")
        with Gateway(lambda _received: Reply(204, "")) as gateway:
            config = {"url": gateway.url, "timeout": 0.5}
            launch(now, make_channel("webhook", "webhook", credential=SECRET, config=config))
            assert send_all(now) == {"sent": 3}
        for one in gateway.received:
            webhooks.verify(secret=SECRET, headers=one.headers, body=one.raw, now=now)
            assert "+86138" not in one.raw.decode()
        assert {one.body["data"]["profile"] for one in gateway.received} == {str(one.subject.uid) for one in people}
        assert len({one.headers["webhook-id"] for one in gateway.received}) == 3

    @pytest.mark.parametrize(
        ("reply", "expected"),
        [(Reply(500), "planned"), (Reply(429), "planned"), (Reply(400), "failed"), (SILENCE, "unknown")],
    )
    def test_outcomes_of_a_batch(self, now: datetime, reply: Any, expected: str) -> None:
        make_people_with_phones(2, channel="webhook")
        with Gateway(lambda _received: reply) as gateway:
            config = {"url": gateway.url, "timeout": 0.5, "per_call": 100}
            launch(now, make_channel("webhook", "webhook", credential=SECRET, config=config))
            assert send_all(now) == {expected: 2}
        assert len(gateway.received) == 1
        assert len(gateway.received[0].body["data"]["messages"]) == 2

    def test_link_of_a_message_without_address_withdraws_the_consent(self, now: datetime, client: Any) -> None:
        (person,) = make_people_with_phones(1, channel="webhook")
        with Gateway() as gateway:
            config = {"url": gateway.url, "timeout": 0.5}
            launch(now, make_channel("webhook", "webhook", credential=SECRET, config=config))
            send_all(now)
        path = gateway.received[0].body["data"]["unsubscribe_url"].removeprefix(settings.BASE_URL)
        client.post(path, b"List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")
        state = consent.ConsentState.objects.select_related("record").get(subject=person.pk, channel="webhook")
        assert state.action == "withdrawn"


class TestInbox:
    @pytest.fixture
    def people(self, now: datetime) -> list[Profile]:
        people = make_people_with_phones(3, channel="inapp")
        run = launch(now, make_channel("inapp", "inbox", config={"days": 7}), subject="For {{ profile.name }}")
        withdraw(people[2], run, "inapp", now)
        assert send_all(now) == {"sent": 2}
        return people

    def read(self, person: Profile, now: datetime, **query: Any) -> Any:
        answer = api("inbox:read").get(f"/api/v1/profiles/{person.subject.uid}/inbox/", query)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def test_messages_are_read_by_the_app(self, now: datetime, people: list[Profile]) -> None:
        InboxMessage.objects.update(expires_at=datetime.now().astimezone() + timedelta(days=1))
        (message,) = self.read(people[0], now)["results"]
        assert (message["title"], message["body"], message["read_at"]) == ("For Reader 0", "Hi Reader 0", None)
        assert self.read(people[2], now)["results"] == []
        other = self.read(people[1], now)["results"][0]["uid"]
        path = f"/api/v1/profiles/{people[0].subject.uid}/inbox/read/"
        for expected in (1, 0):
            body = json.dumps({"messages": [message["uid"], other]})
            answer = api("inbox:write").post(path, body, content_type="application/json")
            assert answer.json() == {"read": expected}
        assert self.read(people[0], now, unread="true")["results"] == []
        assert len(self.read(people[1], now, unread="true")["results"]) == 1

    def test_what_expired_or_was_taken_down_is_not_shown(self, now: datetime, people: list[Profile]) -> None:
        later = datetime.now().astimezone() + timedelta(days=1)
        assert InboxMessage.objects.filter(expires_at=now + timedelta(days=7)).count() == 2
        InboxMessage.objects.update(expires_at=later, taken_down_at=now)
        assert self.read(people[0], now)["results"] == []
        InboxMessage.objects.update(expires_at=now + timedelta(hours=1), taken_down_at=None)
        assert self.read(people[0], now)["results"] == []

    def test_pages_follow_a_cursor(self, now: datetime, people: list[Profile]) -> None:
        for _ in range(2):
            launch(now, make_channel("inapp", "inbox"), subject="More", text="again")
        send_all(now)
        InboxMessage.objects.update(expires_at=datetime.now().astimezone() + timedelta(days=1))
        first = self.read(people[0], now, limit=2)
        rest = self.read(people[0], now, limit=2, cursor=first["next"])
        assert [one["title"] for one in first["results"] + rest["results"]] == ["More", "More", "For Reader 0"]
        assert rest["next"] is None

    def test_a_repeated_message_is_there_once(self, now: datetime, people: list[Profile]) -> None:
        Delivery.objects.filter(state="sent").update(state="planned", sent_at=None)
        Batch.objects.update(state="pending", due_at=now)
        assert send_all(now) == {"sent": 2}
        assert InboxMessage.objects.count() == 2

    def test_text_is_stored_encrypted_and_erased_with_the_person(self, now: datetime, people: list[Profile]) -> None:
        from compliance import holdings

        stored = b"".join(bytes(row.content_encrypted) for row in InboxMessage.objects.all())
        assert b"Reader" not in stored
        (inbox,) = [one for one in holdings.all_holdings() if one.name == "inbox"]
        (row,) = inbox.collect(people[0].pk)
        assert (row["title"], row["body"]) == ("For Reader 0", "Hi Reader 0")
        assert inbox.erase(people[0].pk, now) == 1
        assert not InboxMessage.objects.filter(profile=people[0]).exists()


class TestFile:
    @pytest.fixture(autouse=True)
    def _home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from dataclasses import replace

        monkeypatch.setattr(settings, "INSTANCE", replace(settings.INSTANCE, home=tmp_path))

    def test_each_message_is_a_line(self, now: datetime) -> None:
        make_people_with_phones(3)
        channel = make_channel("sms", "file", optout_text=ENDING)
        launch(now, channel)
        assert send_all(now) == {"sent": 3}
        path = path_of(channel.key)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert [line["text"] for line in lines] == [f"Hi Reader {number}{ENDING}" for number in range(3)]
        assert path.stat().st_mode & 0o777 == 0o600

    def test_folder_that_cannot_be_written_is_a_channel_that_is_down(self, now: datetime, tmp_path: Path) -> None:
        make_people_with_phones(1)
        (tmp_path / "outbox").write_text("in the way")
        launch(now, make_channel("sms", "file", optout_text=ENDING))
        assert send_all(now)["sent"] == 0
        assert set(Delivery.objects.values_list("state", "attempts")) == {("planned", 0)}
