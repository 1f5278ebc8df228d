"""The gateway adapter against a real HTTP server: what it says must be what happened."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.channels import (
    ChannelDownError,
    ChannelError,
    Outgoing,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)
from campaigns.channels.gateway import GatewayAdapter, GatewayConfig
from tests.campaigns.gateway import CLOSE, SILENCE, Gateway, Received, Reply

RESULTS = {
    "per_call": 10, "results_field": "data.results", "result_key_field": "id", "result_code_field": "code",
    "success_codes": "OK, 0", "retryable_codes": "BUSY",
}  # fmt: skip


def outgoing(number: int = 0) -> Outgoing:
    return Outgoing(
        key=f"run.{number}.0", to_name="Li", to_address=f"+86138000000{number:02}", subject="", text="Hi 拒收请回复R",
        html="", unsubscribe_url="https://heed.example.com/u/x", date=datetime(2026, 3, 2, tzinfo=UTC),
    )  # fmt: skip


def adapter(gateway: Gateway, **config: Any) -> GatewayAdapter:
    settings = GatewayConfig.read({"url": gateway.url, "timeout": 0.5} | config)
    return GatewayAdapter(settings, credential="s3cret", sender="Shop")


def send(gateway: Gateway, count: int = 1, **config: Any) -> list[ChannelError | None]:
    with adapter(gateway, **config) as opened:
        return opened.send_many([outgoing(number) for number in range(count)])


def kinds(results: list[ChannelError | None]) -> list[Any]:
    return [result if result is None else type(result) for result in results]


def test_one_message_a_call_with_the_fields_of_the_gateway() -> None:
    with Gateway() as gateway:
        fields = {
            "recipient_field": "phone.number",
            "text_field": "content",
            "key_field": "ref",
            "sender_field": "sign",
        }
        assert send(gateway, 3, **fields) == [None] * 3
    by_key = {one.body["ref"]: one for one in gateway.received}
    first = by_key["run.0.0"]
    assert first.body == {
        "phone": {"number": "+8613800000000"}, "content": "Hi 拒收请回复R", "ref": "run.0.0", "sign": "Shop",
    }  # fmt: skip
    assert first.headers["authorization"] == "Bearer s3cret"
    assert first.headers["idempotency-key"] == "run.0.0"
    assert len(by_key) == 3


def test_many_messages_in_a_call() -> None:
    with Gateway() as gateway:
        assert send(gateway, 5, per_call=3, auth_header="X-Key", auth_scheme="") == [None] * 5
    assert [len(one.body["messages"]) for one in gateway.received] == [3, 2]
    assert [message["id"] for message in gateway.messages] == [f"run.{number}.0" for number in range(5)]
    assert gateway.received[0].headers["x-key"] == "s3cret"
    assert len({one.headers["idempotency-key"] for one in gateway.received}) == 2


@pytest.mark.parametrize(
    ("reply", "expected", "detail"),
    [
        (Reply(429), RetryableError, "answered 429"),
        (Reply(500), RetryableError, "answered 500"),
        (Reply(503), RetryableError, "answered 503"),
        (Reply(502), UnknownOutcomeError, "answered 502"),
        (Reply(504), UnknownOutcomeError, "answered 504"),
        (Reply(400), PermanentError, "answered 400"),
        (Reply(422), PermanentError, "answered 422"),
        (Reply(401), ChannelDownError, "answered 401"),
        (Reply(302, headers={"Location": "/send"}), ChannelDownError, "answered 302"),
        (SILENCE, UnknownOutcomeError, "no answer in time"),
        (CLOSE, UnknownOutcomeError, "connection lost"),
    ],
)
@pytest.mark.parametrize("per_call", [1, 10])
def test_outcome_tells_what_happened(
    reply: Reply | str, expected: type[ChannelError], detail: str, per_call: int
) -> None:
    with Gateway(lambda _received: reply) as gateway:
        results = send(gateway, 2, per_call=per_call)
    assert kinds(results) == [expected] * 2
    assert detail in str(results[0])
    assert len(gateway.received) == (2 if per_call == 1 else 1)  # nothing is sent again by itself


def test_nobody_listens() -> None:
    with Gateway() as gateway:
        pass
    results = send(gateway, 2)
    assert kinds(results) == [ChannelDownError] * 2
    assert "cannot connect" in str(results[0])


@pytest.mark.parametrize(("header", "pause"), [("120", 120), ("999999999999", 86400), ("soon", None)])
def test_pause_that_the_server_asks_for(header: str, pause: int | None) -> None:
    with Gateway(lambda _received: Reply(429, headers={"Retry-After": header})) as gateway:
        (result,) = send(gateway)
    assert isinstance(result, RetryableError)
    assert result.after == (None if pause is None else timedelta(seconds=pause))


def test_half_a_batch_is_a_result_for_each_message() -> None:
    def some(received: Received) -> Reply:
        codes = ["OK", "INVALID", "BUSY", 0]
        listing = [
            {"id": message["id"], "code": code} for message, code in zip(received.body["messages"], codes, strict=False)
        ]
        return Reply(207, {"data": {"results": listing[::-1]}})

    with Gateway(some) as gateway:
        results = send(gateway, 5, **RESULTS)
    assert kinds(results) == [None, PermanentError, RetryableError, None, UnknownOutcomeError]
    assert str(results[1]) == "code INVALID"
    assert "says nothing" in str(results[4])


def test_results_in_the_order_of_the_messages() -> None:
    with Gateway(lambda _received: Reply(200, {"data": {"results": [{"code": 0}, {"code": 7}]}})) as gateway:
        results = send(gateway, 2, **{**RESULTS, "result_key_field": ""})
    assert kinds(results) == [None, PermanentError]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(200, {"code": 0}), None),
        (Reply(200, {"code": "BUSY"}), RetryableError),
        (Reply(200, {"code": 160042}), PermanentError),
        (Reply(200, {}), UnknownOutcomeError),
        (Reply(200, "<html>"), UnknownOutcomeError),
        (Reply(400, "<html>"), PermanentError),
    ],
)
def test_code_in_the_body(reply: Reply, expected: type[ChannelError] | None) -> None:
    with Gateway(lambda _received: reply) as gateway:
        results = send(gateway, code_field="code", success_codes="0", retryable_codes="BUSY")
    assert kinds(results) == [expected]


@pytest.mark.parametrize("code", ["+8613800000000", "13800000000", "number 138 is bad", "x" * 500])
def test_what_a_gateway_says_is_not_stored_when_it_may_name_somebody(code: str) -> None:
    with Gateway(lambda _received: Reply(200, {"code": code})) as gateway:
        (result,) = send(gateway, code_field="code", success_codes="0")
    assert str(result) == "an unknown code"


def test_statuses_that_mean_something_else_to_this_gateway() -> None:
    with Gateway(lambda _received: Reply(409)) as gateway:
        assert kinds(send(gateway, retryable_statuses="409, 429")) == [RetryableError]
        assert kinds(send(gateway, success_statuses="200, 409")) == [None]
        assert kinds(send(gateway, down_statuses="409")) == [ChannelDownError]


def test_one_message_alone_raises_what_happened() -> None:
    with Gateway(lambda _received: Reply(400)) as gateway, adapter(gateway) as opened, pytest.raises(PermanentError):
        opened.send(outgoing())
