"""Setting up ways out in the admin: what is missing is named, credentials are never shown, a test send is noted."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from campaigns import credentials
from campaigns.channels import GatewayConfig
from campaigns.models import InboxMessage, MessageTemplate, SendingChannel
from compliance import webhooks
from compliance.models import AuditLeaf
from tests.campaigns.gateway import Gateway, Reply
from tests.factories.campaigns import make_channel, make_people_with_phones

pytestmark = pytest.mark.django_db
ADD = "admin:campaigns_sendingchannel_add"
GATEWAY = {
    "key": "sms", "name": "SMS", "kind": "sms", "adapter": "gateway", "from_name": "Shop", "batch_size": "1000",
    "is_active": "on", "optout_text": "拒收请回复R", "credential": "top-s3cret", "url": "https://sms.example.com/send",
    "per_call": "500", "recipient_field": "mobile", "text_field": "content", "auth_header": "X-Key",
}  # fmt: skip


def errors(client: Client, form: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(reverse(ADD), form)
    assert answer.status_code == 200, answer.content[:300]
    found: dict[str, Any] = answer.context["adminform"].form.errors
    return found


def test_gateway_is_stored_with_its_settings_and_the_credential_encrypted(admin_client: Client) -> None:
    assert admin_client.post(reverse(ADD), GATEWAY).status_code == 302
    channel = SendingChannel.objects.get()
    config = GatewayConfig.read(channel.config)
    assert (config.url, config.per_call, config.timeout) == ("https://sms.example.com/send", 500, 20)
    assert (config.recipient_field, config.key_field, config.auth_header, config.auth_scheme) == (
        "mobile", "", "X-Key", "",
    )  # fmt: skip
    stored = bytes(channel.credential_encrypted or b"")
    assert b"s3cret" not in stored
    assert credentials.decrypt("sms", stored) == "top-s3cret"
    leaf = AuditLeaf.objects.get(action="channel.created")
    assert b"s3cret" not in bytes(leaf.data)


def test_credential_is_never_shown_and_stays_when_none_is_given(admin_client: Client) -> None:
    admin_client.post(reverse(ADD), GATEWAY)
    channel = SendingChannel.objects.get()
    url = reverse("admin:campaigns_sendingchannel_change", args=[channel.pk])
    page = admin_client.get(url).content.decode()
    assert "s3cret" not in page
    assert 'value="https://sms.example.com/send"' in page
    assert admin_client.post(url, {**GATEWAY, "credential": "", "name": "Other"}).status_code == 302
    channel.refresh_from_db()
    assert channel.name == "Other"
    assert credentials.decrypt("sms", bytes(channel.credential_encrypted or b"")) == "top-s3cret"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"credential": ""}, "credential"),
        ({"url": ""}, "url"),
        ({"url": "http://sms.example.com/send"}, "url"),
        ({"url": "ftp://sms.example.com"}, "url"),
        ({"optout_text": ""}, "optout_text"),
        ({"kind": "email"}, "adapter"),
        ({"adapter": "inbox"}, "adapter"),
        ({"recipient_field": ""}, "recipient_field"),
        ({"down_statuses": "401, none"}, "down_statuses"),
        ({"code_field": "code"}, "success_codes"),
        ({"kind": "webhook", "adapter": "webhook", "credential": "no secret"}, "credential"),
        ({"kind": "email", "adapter": "mail"}, "from_address"),
    ],
)
def test_what_is_missing_is_named(admin_client: Client, change: dict[str, str], field: str) -> None:
    assert field in errors(admin_client, GATEWAY | change)
    assert not SendingChannel.objects.exists()


def test_webhook_takes_a_secret_of_standard_webhooks(admin_client: Client) -> None:
    change = {"kind": "webhook", "adapter": "webhook", "credential": webhooks.new_secret()}
    assert admin_client.post(reverse(ADD), GATEWAY | change).status_code == 302


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"text": "Hi {{ profile.name }}"}, set()),
        ({"text": "X" * 25}, {"text"}),
        ({"text": "X" * 24}, set()),
        ({"text": "Hi", "html": "<p>Hi</p>"}, {"html"}),
        ({"text": "{{ profile.city }}"}, {"text"}),
    ],
)
def test_sms_template_needs_only_a_short_text(admin_client: Client, fields: dict[str, str], wrong: set[str]) -> None:
    make_channel("sms", "file", optout_text="拒收请回复R")
    form = {"key": "short", "name": "Short", "kind": "sms", "language": "zh-hans", **fields}
    answer = admin_client.post(reverse("admin:campaigns_messagetemplate_add"), form)
    found = set(answer.context["adminform"].form.errors) if answer.context else set()
    assert found == wrong
    assert MessageTemplate.objects.exists() is not bool(wrong)


def try_out(client: Client, channel: SendingChannel, address: str) -> str:
    url = reverse("admin:campaigns_sendingchannel_try_out", args=[channel.pk])
    answer = client.post(url, {"address": address, "_form_submitted": "on"}, follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


def test_test_send_goes_out_and_leaves_a_leaf_without_the_address(admin_client: Client) -> None:
    with Gateway() as gateway:
        config = {"url": gateway.url, "timeout": 0.5}
        channel = make_channel("sms", "gateway", credential="x", config=config, optout_text="R")
        assert "took the test message" in try_out(admin_client, channel, "138 0000 0001")
        gateway.script = lambda _received: Reply(400)
        assert "answered 400" in try_out(admin_client, channel, "138 0000 0001")
        assert "Not sent" in try_out(admin_client, channel, "nobody")
    assert gateway.messages[0]["to"] == "+8613800000001"
    assert len(gateway.messages) == 2
    leaves = AuditLeaf.objects.filter(action="channel.tried")
    assert leaves.count() == 2
    assert b"1380000" not in bytes(leaves[0].data)
    channel.refresh_from_db()
    assert channel.last_success_at is not None
    assert channel.last_error == "answered 400"


def test_test_send_into_an_inbox(admin_client: Client, now: datetime) -> None:
    (person,) = make_people_with_phones(1)
    channel = make_channel("inapp", "inbox")
    assert "took" in try_out(admin_client, channel, str(person.subject.uid))
    assert "public id" in try_out(admin_client, channel, "138 0000 0001")
    assert InboxMessage.objects.get().profile_id == person.pk
