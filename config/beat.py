"""The scheduler of which any number may run, and only one ticks.

Two plain beats double every tick. Here each holds, or waits for, a session-level advisory lock of PostgreSQL
on a connection of its own. When the holder or its connection dies, PostgreSQL drops the lock and another
takes over. A transaction-pooling proxy in front of PostgreSQL would break this: let beat connect past it.
"""

import hashlib
import logging
from contextlib import suppress
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django_celery_beat.schedulers import DatabaseScheduler

logger = logging.getLogger(__name__)

STANDBY_SECONDS = 5.0
LOCK_KEY = int.from_bytes(hashlib.sha256(b"heed: the one beat that ticks").digest()[:8], "big", signed=True)


class BeatLock:
    """The advisory lock. One object is one contender."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self._held = False

    def acquire(self) -> bool:
        """Whether this contender holds the lock now: asks the server, and takes the lock if it is free."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            query = "SELECT true" if self._held else f"SELECT pg_try_advisory_lock({LOCK_KEY})"
            row = self._connection.execute(query).fetchone()
        except psycopg.Error as error:
            logger.warning("beat: no connection to the database: %s", error)
            self.close()
            return False
        self._held = row is not None and bool(row[0])
        return self._held

    def close(self) -> None:
        """Give up the lock, if held."""
        if self._connection is not None:
            if self._held:  # the server drops the lock only a moment after the connection is gone
                with suppress(psycopg.Error):
                    self._connection.execute(f"SELECT pg_advisory_unlock({LOCK_KEY})")
            self._connection.close()
            self._connection = None
        self._held = False

    def _connect(self) -> psycopg.Connection[Any]:
        # Not one of Django's connections: those are closed when they grow old, and the lock with them.
        parameters = connections[DEFAULT_DB_ALIAS].get_connection_params()
        parameters.pop("cursor_factory", None)
        # A host that vanished without a word counts as lost after ten seconds.
        return psycopg.connect(**{"tcp_user_timeout": 10_000, "connect_timeout": 10, **parameters}, autocommit=True)


class SingleBeatScheduler(DatabaseScheduler):
    """django-celery-beat's scheduler that ticks only while it holds the lock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._lock = BeatLock()
        self._leads = False
        self._announced = False
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Left to the holder of the lock, see `_take_over`: a beat on stand-by writes nothing."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """One step of the schedule, or none on stand-by. Returns the seconds until the next."""
        if not self._lock.acquire():
            self._stand_by()
            return STANDBY_SECONDS
        try:
            if not self._leads:
                self._take_over()
            return float(super().tick(*args, **kwargs))
        except (OperationalError, InterfaceError) as error:
            logger.warning("beat: the database went away: %s", error)
            self._lock.close()
            self._leads = False
            return STANDBY_SECONDS

    def sync(self) -> None:
        """Save the times of the last runs, unless they are another beat's to save."""
        if self._leads:
            super().sync()

    def close(self) -> None:
        """Save, and hand over at once."""
        super().close()
        self._lock.close()
        self._leads = False

    def _stand_by(self) -> None:
        if not self._announced or self._leads:
            logger.warning("beat: another beat holds the lock; standing by")
        self._announced, self._leads = True, False

    def _take_over(self) -> None:
        """Forget what was read before: another beat may have run the schedule since."""
        self._dirty.clear()
        self._schedule = None
        self._heap = None
        self._initial_read = True
        super().setup_schedule()
        self._leads = True
        logger.info("beat: holding the lock; ticking")
