"""What logs look like, and what they never hold."""

import logging
import re
from typing import Any

import structlog

# The token in an unsubscribe link acts for the person; a log is read by more people than that.
UNSUBSCRIBE_TOKEN = re.compile(r"(/u/)[A-Za-z0-9_=-]+")


class MaskTokens(logging.Filter):
    """Takes the tokens of unsubscribe links out of every line."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "/u/" in message:
            record.msg, record.args = UNSUBSCRIBE_TOKEN.sub(r"\1…", message), None
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
