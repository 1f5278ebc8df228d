import email
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from campaigns.mime import Parts, Sender, Skeleton

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200)
KNOWN = {
    "From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version",
    "Content-Type", "Content-Transfer-Encoding",
}  # fmt: skip


def build(**fields: object) -> bytes:
    values = {
        "message_id": "0123.7.0@heed.example.com",
        "to_name": "Li",
        "to_address": "li@example.com",
        "subject": "Hello",
        "text": "Hello",
        "html": "",
        "unsubscribe_url": "https://heed.example.com/u/token",
        "date": datetime(2026, 3, 2, 4, tzinfo=UTC),
    }
    return Skeleton(Sender("The shop", "shop@example.com")).fill(Parts(**(values | fields)))  # type: ignore[arg-type]


def parse(content: bytes) -> EmailMessage:
    return cast(EmailMessage, email.message_from_bytes(content, policy=policy.default))


def lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


@given(name=TEXT, subject=TEXT, text=TEXT, html=TEXT)
def test_nothing_that_is_written_changes_the_structure(name: str, subject: str, text: str, html: str) -> None:
    content = build(to_name=name, subject=subject, text=text, html=html)
    message = parse(content)
    assert set(message.keys()) <= KNOWN
    assert len(message.keys()) == len(set(message.keys()))
    assert message["To"].addresses[0].addr_spec == "li@example.com"
    assert [part.get_content_type() for part in message.walk()] == (
        ["multipart/alternative", "text/plain", "text/html"] if html else ["text/plain"]
    )
    for line in content.split(b"\r\n"):
        assert len(line) <= 998  # RFC 5322, section 2.1.1
        assert b"\n" not in line
        assert b"\r" not in line
        assert not line.startswith(b".")


@given(text=TEXT, html=TEXT.filter(bool))
def test_bodies_arrive_as_they_were_written(text: str, html: str) -> None:
    message = parse(build(text=text, html=html))
    plain, rich = message.get_payload()  # type: ignore[misc]
    assert plain.get_payload(decode=True).decode() == lines(text)  # type: ignore[union-attr]
    assert rich.get_payload(decode=True).decode() == lines(html)  # type: ignore[union-attr]


@given(subject=LINE)
def test_subject_arrives_as_it_was_written(subject: str) -> None:
    content = build(subject=subject)
    assert str(parse(content)["Subject"]) == subject.strip()
    for line in content.split(b"\r\n\r\n")[0].split(b"\r\n"):
        assert len(line) <= 78  # RFC 5322, section 2.1.1


def test_short_ascii_stays_readable() -> None:
    content = build(to_name='Li "Lily" O', subject="50% off, today")
    assert b"\r\nSubject: 50% off, today\r\n" in content
    assert b'\r\nTo: "Li \\"Lily\\" O" <li@example.com>\r\n' in content
    assert b"\r\nDate: Mon, 02 Mar 2026 04:00:00 +0000\r\n" in content


def test_the_same_delivery_has_the_same_bytes() -> None:
    assert build(html="<p>x") == build(html="<p>x")
