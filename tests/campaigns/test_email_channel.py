"""The SMTP adapter against servers that misbehave at every step: what it says must be what happened."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from campaigns.channels import (
    ChannelDownError,
    ChannelError,
    Outgoing,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
    adapter_for,
)
from campaigns.channels.email import EmailAdapter
from campaigns.mime import Sender
from campaigns.models import SendingChannel
from tests.campaigns.smtp import CLOSE, RESET, SILENCE, Mailbox, ScriptedServer

SENDER = Sender("The shop", "shop@example.com")


def outgoing(**fields: object) -> Outgoing:
    values = {
        "key": "0123.7.0",
        "to_name": "Li",
        "to_address": "li@example.com",
        "subject": "Hello",
        "text": "Hello\n.\n..dots\n",
        "html": "",
        "unsubscribe_url": "https://heed.example.com/u/token",
        "date": datetime(2026, 3, 2, tzinfo=UTC),
    }
    return Outgoing(**(values | fields))  # type: ignore[arg-type]


@pytest.fixture
def mail(settings: Settings) -> Settings:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_HOST_USER = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_TIMEOUT = 0.4
    return settings


def test_message_arrives_as_it_was_written(mail: Settings) -> None:
    with Mailbox() as mailbox:
        mail.EMAIL_PORT = mailbox.port
        with adapter_for(kind="email", sender=SENDER) as adapter:
            adapter.send(outgoing(subject="Grüße\r\nBcc: other@example.com", to_name='L "I" ,李'))
            adapter.send(outgoing(key="0123.8.0"))
    message = mailbox.messages[0]
    assert mailbox.recipients == ["li@example.com", "li@example.com"]
    assert message["Message-ID"] == f"<0123.7.0@{mail.MAIL_DOMAIN}>"
    assert message["Subject"] == "Grüße Bcc: other@example.com"
    assert message["Bcc"] is None
    assert message["To"].addresses[0].display_name == 'L "I" ,李'
    assert message["List-Unsubscribe"] == "<https://heed.example.com/u/token>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message.get_content() == "Hello\r\n.\r\n..dots\r\n"


@pytest.mark.parametrize(
    ("script", "expected", "detail"),
    [
        ({"connect": "421 too busy"}, ChannelDownError, "421 too busy"),
        ({"connect": CLOSE}, ChannelDownError, "cannot connect"),
        ({"connect": SILENCE}, ChannelDownError, "timed out"),
        ({"MAIL": "550 not you"}, ChannelDownError, "sender refused: 550 not you"),
        ({"MAIL": CLOSE}, ChannelDownError, "connection lost"),
        ({"RCPT": "550 5.1.1 <li@example.com> unknown"}, PermanentError, "550 5.1.1 <address> unknown"),
        ({"RCPT": "450 greylisted"}, RetryableError, "450 greylisted"),
        ({"RCPT": "421 closing"}, RetryableError, "421 closing"),
        ({"RCPT": "hello?"}, RetryableError, "-1"),
        ({"RCPT": RESET}, RetryableError, "connection lost"),
        ({"DATA": "554 no"}, PermanentError, "554 no"),
        ({"DATA": "451 later"}, RetryableError, "451 later"),
        ({"DATA": CLOSE}, RetryableError, "connection lost"),
        ({"message": "554 spam"}, PermanentError, "554 spam"),
        ({"message": "452 disk full"}, RetryableError, "452 disk full"),
        ({"message": "421 closing"}, RetryableError, "421 closing"),
        ({"message": CLOSE}, UnknownOutcomeError, "no answer after the message"),
        ({"message": RESET}, UnknownOutcomeError, "no answer after the message"),
        ({"message": SILENCE}, UnknownOutcomeError, "no answer after the message"),
        ({"message": "hello?"}, UnknownOutcomeError, "-1"),
        ({"message": "354 go on"}, UnknownOutcomeError, "354 go on"),
        ({"message": "250-" + "x" * 9000}, UnknownOutcomeError, "Line too long"),
    ],
)
def test_outcome_tells_what_happened(
    mail: Settings, script: dict[str, str], expected: type[ChannelError], detail: str
) -> None:
    with ScriptedServer(script) as server:
        mail.EMAIL_PORT = server.port
        adapter = EmailAdapter(SENDER)
        with pytest.raises(ChannelError) as raised:
            adapter.send(outgoing())
        adapter.close()
    assert type(raised.value) is expected
    assert detail in str(raised.value)
    # Only an outcome that is unknown, or a refusal of the whole message, may follow a message that left whole.
    assert len(server.messages) == ("message" in script)


def test_nobody_listens(mail: Settings) -> None:
    with ScriptedServer() as server:
        mail.EMAIL_PORT = server.port
    with pytest.raises(ChannelDownError), EmailAdapter(SENDER):
        pass


def test_break_within_a_long_message_is_retryable(mail: Settings) -> None:
    """The server resets while the message is under way: its last byte never left, so nothing can have been sent."""

    class Impatient(ScriptedServer):
        def _steps(self, connection):  # type: ignore[no-untyped-def]
            for step in super()._steps(connection):
                yield step
                if step == "DATA":
                    self._answer(connection, RESET)

    with Impatient() as server:
        mail.EMAIL_PORT = server.port
        adapter = EmailAdapter(SENDER)
        with pytest.raises(RetryableError, match="before the end of the message"):
            adapter.send(outgoing(text="x" * 40_000_000))
        adapter.close()
    assert server.messages == []


@pytest.mark.parametrize("answer", ["550 unknown", "450 greylisted"])
def test_connection_serves_the_next_message_after_a_refusal(mail: Settings, answer: str) -> None:
    with ScriptedServer({"RCPT": answer}) as server:
        mail.EMAIL_PORT = server.port
        with EmailAdapter(SENDER) as adapter:
            for _ in range(2):
                with pytest.raises(ChannelError, match=answer):
                    adapter.send(outgoing())
    steps = ["MAIL", "RCPT", "RSET"]
    assert server.seen == [["connect", "EHLO", *steps, *steps, "QUIT"]]


def test_used_connection_that_the_server_ended_is_replaced(mail: Settings) -> None:
    """Many servers take only some messages a connection; that is no reason to stop."""

    class OneEach(ScriptedServer):
        def _answer(self, connection, answer):  # type: ignore[no-untyped-def]
            closing = "MAIL" in self.seen[-1][:-1] and self.seen[-1][-1] == "MAIL"
            super()._answer(connection, "421 enough" if closing else answer)

    with OneEach() as server:
        mail.EMAIL_PORT = server.port
        with EmailAdapter(SENDER) as adapter:
            for number in range(3):
                adapter.send(outgoing(key=f"0123.{number}.0"))
    assert len(server.messages) == 3
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    "address", ["li@example.com> SIZE=1", "li @example.com", "li@exämple.example.com", "li@example.com\r\nX"]
)
def test_address_cannot_carry_commands(mail: Settings, address: str) -> None:
    with ScriptedServer() as server:
        mail.EMAIL_PORT = server.port
        with EmailAdapter(SENDER) as adapter, pytest.raises(PermanentError):
            adapter.send(outgoing(to_address=address))
    assert server.seen == [["connect", "EHLO", "QUIT"]]


def test_kind_without_adapter() -> None:
    with pytest.raises(ValueError, match="no adapter for channel sms"):
        adapter_for(kind="sms", sender=SENDER)


def test_console_backend_serves_trials(mail: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    mail.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    with adapter_for(kind="email", sender=SENDER) as adapter:
        adapter.send(outgoing())
    assert "Message-ID: <0123.7.0@" in capsys.readouterr().out


@pytest.mark.django_db
def test_a_sender_of_an_international_domain_is_kept_in_the_form_that_smtp_carries(admin_client: Client) -> None:
    form = {
        "key": "post", "name": "Post", "kind": "email", "adapter": "mail", "from_name": "Shop", "batch_size": "100",
        "is_active": "on",
        "from_address": "shop@bücher.example.com",
    }  # fmt: skip
    admin_client.post(reverse("admin:campaigns_sendingchannel_add"), form)
    assert SendingChannel.objects.get().from_address == "shop@xn--bcher-kva.example.com"
