"""Encryption, digests and tokens."""

import os
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance import addresses, tokens, vault

KEY = os.urandom(32)


@given(st.text(max_size=200))
def test_what_is_encrypted_can_be_read_with_the_key_and_context(text: str) -> None:
    blob = vault.encrypt(KEY, text, "name")
    assert vault.decrypt(KEY, blob, "name") == text
    assert text.encode() not in blob or len(text) < 3
    assert vault.encrypt(KEY, text, "name") != blob


def test_a_blob_is_bound_to_its_key_context_and_bytes() -> None:
    blob = vault.encrypt(KEY, "Li Wei", "name")
    changed = blob[:-1] + bytes([blob[-1] ^ 1])
    for key, data, context in (
        (os.urandom(32), blob, "name"), (KEY, blob, "email"), (KEY, changed, "name"), (KEY, b"", "name"),
        (KEY, b"\x02" + blob[1:], "name"), (KEY, blob[:5], "name"),
    ):  # fmt: skip
        with pytest.raises(vault.VaultError):
            vault.decrypt(key, data, context)


def test_a_wrapped_key_is_bound_to_its_subject() -> None:
    data_key, uid = vault.new_data_key(), uuid4()
    wrapped = vault.wrap(KEY, data_key, uid)
    assert vault.unwrap(KEY, wrapped, uid) == data_key
    with pytest.raises(vault.VaultError):
        vault.unwrap(KEY, wrapped, uuid4())


def test_derived_keys_differ_by_label() -> None:
    assert vault.derive(KEY, "rejected-rows") == vault.derive(KEY, "rejected-rows")
    assert vault.derive(KEY, "rejected-rows") != vault.derive(KEY, "something-else")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("email", "  Some.One@Example.COM ", "some.one@example.com"),
        ("email", "li@例え.example.com", "li@xn--r8jz45g.example.com"),
        ("email", "a@xn--strae-oqa.example.com", "a@xn--strae-oqa.example.com"),
        ("email", "a@Ｓhop.example.com", "a@shop.example.com"),
        ("phone", "131 0000 0000", "+8613100000000"),
        ("phone", "+86-131-0000-0000", "+8613100000000"),
        ("phone", "+1 202 555 0143", "+12025550143"),
        ("external", " A-17 ", "A-17"),
    ],
)
def test_addresses_have_one_written_form(kind: str, value: str, expected: str) -> None:
    assert addresses.normalise(kind, value, region="CN") == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", ""), ("email", "someone"), ("email", "@example.com"), ("email", "a b@example.com"),
        ("email", "a@localhost"), ("email", "a..b@example.com"), ("email", "a@example.com\r\nBcc: b@example.com"),
        ("email", "a" * 250 + "@example.com"), ("email", "a@-x.example.com"),
        ("email", "a@straße.example.com"), ("email", "a\x00@example.com"),
        ("phone", "hello"), ("phone", "12"), ("device", "\n"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(kind: str, value: str) -> None:
    with pytest.raises(addresses.AddressError):
        addresses.normalise(kind, value, region="CN")


def test_digests_differ_by_kind_and_key() -> None:
    digest = addresses.digest("email", "a@example.com", key=KEY)
    assert len(digest) == 32
    assert digest == addresses.digest("email", "a@example.com", key=KEY)
    assert digest != addresses.digest("external", "a@example.com", key=KEY)
    assert digest != addresses.digest("email", "a@example.com", key=os.urandom(32))


CLAIMS = st.builds(
    tokens.Claim,
    subject_id=st.integers(1, 2**63 - 1),
    purpose_id=st.integers(1, 2**32 - 1),
    channel=st.sampled_from([channel.value for channel in tokens.CHANNELS]),
    digest=st.binary(min_size=32, max_size=32),
    reference=st.integers(0, 2**63 - 1),
)


@given(CLAIMS)
def test_tokens_carry_their_claim(claim: tokens.Claim) -> None:
    token = tokens.issue(claim, keys={0: KEY})
    assert tokens.read(token, keys={0: KEY}) == claim
    assert len(token) < 100


@given(CLAIMS, st.integers(0, 92), st.sampled_from("ABab01-_"))
def test_a_changed_token_is_refused(claim: tokens.Claim, place: int, character: str) -> None:
    token = tokens.issue(claim, keys={0: KEY})
    changed = token[:place] + character + token[place + 1 :]
    if changed != token:
        with pytest.raises(tokens.TokenError):
            tokens.read(changed, keys={0: KEY})


@pytest.mark.parametrize("token", ["", "x", "é", "A" * 94, "../../etc/passwd", "=" * 94])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(tokens.TokenError):
        tokens.read(token, keys={0: KEY})


def test_links_work_after_key_rotation() -> None:
    claim = tokens.Claim(1, 2, "email", bytes(32), 3)
    old = tokens.issue(claim, keys={0: KEY})
    ring = {0: KEY, 1: os.urandom(32)}
    assert tokens.read(old, keys=ring) == claim
    assert tokens.issue(claim, keys=ring) != old
