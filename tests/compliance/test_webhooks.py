"""Signed webhooks, against the example of the specification and against forgery."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from compliance import webhooks

# The example of the Standard Webhooks specification, "Signature scheme".
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"


def headers(body: bytes = BODY, now: datetime = NOW) -> dict[str, str]:
    return webhooks.headers(secret=SECRET, message_id=ID, body=body, now=now)


def test_the_signature_is_that_of_the_specification() -> None:
    assert headers() == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_what_was_signed_is_accepted_within_five_minutes_and_beside_other_signatures() -> None:
    signed = headers()
    webhooks.verify(secret=SECRET, headers=signed, body=BODY, now=NOW + timedelta(minutes=4))
    several = {**signed, "webhook-signature": "v1,AAAA v1a,BBBB " + signed["webhook-signature"]}
    webhooks.verify(secret=SECRET, headers=several, body=BODY, now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_other"}, {"webhook-timestamp": "1614265331"}, {"webhook-timestamp": "soon"},
        {"webhook-signature": "v1,AAAA"}, {"webhook-signature": ""},
    ],
)  # fmt: skip
def test_a_changed_header_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(webhooks.SignatureError):
        webhooks.verify(secret=SECRET, headers={**headers(), **change}, body=BODY, now=NOW)


def test_another_body_another_time_and_a_missing_header_are_refused() -> None:
    with pytest.raises(webhooks.SignatureError, match="does not fit"):
        webhooks.verify(secret=SECRET, headers=headers(), body=BODY + b" ", now=NOW)
    with pytest.raises(webhooks.SignatureError, match="five minutes"):
        webhooks.verify(secret=SECRET, headers=headers(), body=BODY, now=NOW + timedelta(minutes=6))
    with pytest.raises(webhooks.SignatureError, match="webhook-id"):
        webhooks.verify(secret=SECRET, headers={}, body=BODY, now=NOW)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!", "whsec_" + base64.b64encode(b"x" * 23).decode()])
def test_a_malformed_secret_is_refused(secret: str) -> None:
    with pytest.raises(webhooks.SignatureError, match="secret"):
        webhooks.headers(secret=secret, message_id=ID, body=BODY, now=NOW)


def test_new_secrets_differ_and_can_be_used() -> None:
    secret = webhooks.new_secret()
    assert secret != webhooks.new_secret()
    signed = webhooks.headers(secret=secret, message_id=ID, body=BODY, now=NOW)
    webhooks.verify(secret=secret, headers=signed, body=BODY, now=NOW)
