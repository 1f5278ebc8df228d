"""What logs look like, and what they never hold."""

import logging
import re
from typing import Any

import structlog

# The token in an unsubscribe link acts for the person; a log is read by more people than that.
UNSUBSCRIBE_TOKEN = re.compile(r"(/u/)[A-Za-z0-9_=-]+")
# What staff type into a search box of the admin is often an address; quoted when the login page leads back to it.
SEARCH = re.compile(r"((?:[?&]|%3F|%26)q(?:=|%3D))[^\s&'\"]+", re.IGNORECASE)


class MaskTokens(logging.Filter):
    """Takes the tokens of unsubscribe links and the words of searches out of every line."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        masked = SEARCH.sub(r"\1…", UNSUBSCRIBE_TOKEN.sub(r"\1…", message))
        if masked != message:
            record.msg, record.args = masked, None
        return True


def configure(*, as_json: bool) -> None:
    """Send structlog's events through the standard library's handlers, and so through `MaskTokens`."""
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
