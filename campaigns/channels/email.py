"""E-mail over SMTP (RFC 5321), one connection for as many messages as the server likes.

The steps are driven one by one, for the outcome depends on where the conversation breaks:

| what happens | outcome |
|---|---|
| no connection, greeting, TLS or login; the sender is refused (MAIL) | channel down: nobody's message would pass |
| 4yz to RCPT or DATA, or the connection breaks before the last byte of the message has left | retryable |
| 5yz to RCPT or DATA | permanent |
| 2yz after the message | sent |
| 4yz or 5yz after the message | retryable, permanent: the server declined responsibility (section 4.2.5) |
| the last byte has left and no answer, or no sensible one, comes | unknown |
"""

import contextlib
import re
import smtplib
import ssl

from django.conf import settings

from campaigns.channels.base import (
    ChannelAdapter,
    ChannelDownError,
    ChannelError,
    Outgoing,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)
from campaigns.mime import Parts, Sender, Skeleton

MAX_DETAIL = 200
CLOSING = 421  # "service not available, closing transmission channel", possible in answer to any command
GO_AHEAD = 354
ADDRESS = re.compile(r"<?[^\s<>:;,]+@[^\s<>:;,]+>?")
RECIPIENT = re.compile(r"[\x21-\x3b\x3d\x3f-\x7e]+@[\x21-\x3b\x3d\x3f-\x7e]+")  # printable ASCII without < and >
REFUSALS: dict[int, type[ChannelError]] = {4: RetryableError, 5: PermanentError}
CONNECTION_ERRORS = (OSError, smtplib.SMTPException)  # smtplib raises its own for unreadable answers


class EmailAdapter(ChannelAdapter):
    """Hands messages to the SMTP server of `settings.EMAIL_*`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._skeleton = Skeleton(sender)
        self._smtp: smtplib.SMTP | None = None
        self._used = False

    def open(self) -> None:
        try:
            self._smtp = _connect()
            if settings.EMAIL_USE_TLS:
                self._smtp.starttls(context=ssl.create_default_context())
            if settings.EMAIL_HOST_USER:
                self._smtp.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
            self._smtp.ehlo_or_helo_if_needed()
        except CONNECTION_ERRORS as error:
            self._drop()
            raise ChannelDownError(f"cannot connect: {_detail_of(error)}") from error
        self._used = False

    def close(self) -> None:
        if self._smtp is not None:
            with contextlib.suppress(*CONNECTION_ERRORS):
                self._smtp.quit()
            self._drop()

    def send(self, message: Outgoing) -> None:
        if not RECIPIENT.fullmatch(message.to_address):
            raise PermanentError("the address holds characters that SMTP does not carry")
        content = self._skeleton.fill(parts_of(message))
        try:
            smtp = self._begin()
            self._name_recipient(smtp, message.to_address)
            self._hand_over(smtp, content)
            self._read_verdict(smtp)
        except ChannelError:
            raise
        except BaseException:  # a signal, say: nobody knows where the conversation stands
            self._drop()
            raise

    def _begin(self) -> smtplib.SMTP:
        """MAIL FROM. Servers end a connection after some messages or idle time: a used one is replaced once."""
        if self._smtp is None:
            self.open()
        try:
            return self._name_sender()
        except ChannelDownError:
            if not self._used:
                raise
        self._drop()
        self.open()
        return self._name_sender()

    def _name_sender(self) -> smtplib.SMTP:
        smtp = self._smtp
        assert smtp is not None  # noqa: S101  (open() was called or raised)
        try:
            code, text = smtp.mail(self._sender.address)
        except CONNECTION_ERRORS as error:
            self._drop()
            raise ChannelDownError(f"connection lost: {_detail_of(error)}") from error
        if not _accepted(code):
            self._drop()
            raise ChannelDownError(f"sender refused: {_detail(code, text)}")
        self._used = True
        return smtp

    def _name_recipient(self, smtp: smtplib.SMTP, address: str) -> None:
        """RCPT TO and DATA."""
        try:
            code, text = smtp.rcpt(address)
            if _accepted(code):
                smtp.putcmd("DATA")
                code, text = smtp.getreply()
                if code == GO_AHEAD:
                    return
        except CONNECTION_ERRORS as error:
            self._drop()
            raise RetryableError(f"connection lost: {_detail_of(error)}") from error
        raise self._refusal(code, text, otherwise=RetryableError)

    def _hand_over(self, smtp: smtplib.SMTP, content: bytes) -> None:
        """Give every byte, and the final dot, to the operating system.

        `send` tells how many bytes were taken, unlike `sendall`. While the last one was not, the server cannot have
        seen the end of the message, and a break is harmless.
        """
        ending = b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"
        rest = memoryview(content + ending)
        assert smtp.sock is not None  # noqa: S101  (the server has just answered on it)
        try:
            while rest:
                rest = rest[smtp.sock.send(rest) :]
        except OSError as error:
            self._drop()
            raise RetryableError(f"connection lost before the end of the message: {_detail_of(error)}") from error

    def _read_verdict(self, smtp: smtplib.SMTP) -> None:
        try:
            code, text = smtp.getreply()
        except CONNECTION_ERRORS as error:
            self._drop()
            raise UnknownOutcomeError(f"no answer after the message: {_detail_of(error)}") from error
        if not _accepted(code):
            raise self._refusal(code, text, otherwise=UnknownOutcomeError)

    def _refusal(self, code: int, text: bytes, *, otherwise: type[ChannelError]) -> ChannelError:
        """What an answer other than success means, once the connection is fit for the next message or given up."""
        kind = REFUSALS.get(code // 100)
        if kind is None or code == CLOSING:  # after nonsense, the next answer may belong to an earlier question
            self._drop()
        else:
            self._reset()
        return (kind or otherwise)(_detail(code, text))

    def _reset(self) -> None:
        try:
            if self._smtp is not None and not _accepted(self._smtp.rset()[0]):
                self._drop()
        except CONNECTION_ERRORS:
            self._drop()

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


def _connect() -> smtplib.SMTP:
    # Our own name in EHLO: smtplib's default asks the DNS and may wait for it.
    host, port, name = settings.EMAIL_HOST, settings.EMAIL_PORT, settings.MAIL_DOMAIN
    if settings.EMAIL_USE_SSL:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, name, timeout=settings.EMAIL_TIMEOUT, context=context)
    return smtplib.SMTP(host, port, name, timeout=settings.EMAIL_TIMEOUT)


def parts_of(message: Outgoing) -> Parts:
    """What the MIME skeleton needs; the Message-ID comes from the delivery, so it is the same at every attempt."""
    return Parts(
        message_id=f"{message.key}@{settings.MAIL_DOMAIN}",
        to_name=message.to_name,
        to_address=message.to_address,
        subject=message.subject,
        text=message.text,
        html=message.html,
        unsubscribe_url=message.unsubscribe_url,
        date=message.date,
    )


def _accepted(code: int) -> bool:
    return code // 100 == 2  # noqa: PLR2004


def _detail_of(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return _detail(error.smtp_code, text if isinstance(text, bytes) else text.encode())
    return _clean(str(error)) or type(error).__name__


def _detail(code: int, text: bytes) -> str:
    return f"{code} {_clean(text.decode('utf-8', 'replace'))}"


def _clean(text: str) -> str:
    """One short line without addresses: servers like to repeat the recipient, and errors are stored in the clear."""
    return ADDRESS.sub("<address>", " ".join(text.split()))[:MAX_DETAIL]
