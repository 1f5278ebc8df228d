"""Questions that may take too long are stopped by the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled


class StoppedError(Exception):
    """The database stopped the question: it took too long, or somebody who asked anew cancelled it."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Let each statement in the block take so long. Raises `StoppedError`; a transaction around it stays usable."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            (before,) = cursor.fetchone()
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(int(seconds * 1000))])
            yield
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise StoppedError from error
        raise
