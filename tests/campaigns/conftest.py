"""A real mail server for the tests of sending."""

import logging
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.campaigns.smtp import Mailbox

logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd tells of every command


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    """Receives what Heed sends in this test."""
    with Mailbox() as box:
        point_at(settings, box.port)
        yield box


def point_at(settings: Settings, port: int) -> None:
    """Send through the SMTP server at this port."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_HOST_USER = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_TIMEOUT = 0.4
