"""Fixtures for all tests. The database is the embedded PostgreSQL, or `DATABASE_URL` when that is set.

The files are spread over processes, each with a database of its own; `-n 0` runs all in one.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pgtrigger
import pytest
from django.conf import settings
from django.test import TransactionTestCase
from django.utils import translation

from config.services import hold_services


def pytest_configure() -> None:
    hold_services()
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        settings.CACHES["default"]["KEY_PREFIX"] = worker


@pytest.fixture
def now() -> datetime:
    """A Monday noon in Shanghai."""
    return datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _source_language_between_tests() -> Iterator[None]:
    """A request in another language leaves that language to its thread, and so to the test that comes next."""
    yield
    translation.deactivate()


@pytest.fixture(scope="session", autouse=True)
def _empty_append_only_tables_between_tests() -> Iterator[None]:
    """Django empties all tables after a transactional test; the append-only triggers must let it."""
    teardown = TransactionTestCase._fixture_teardown

    def teardown_ignoring_triggers(self: TransactionTestCase) -> None:
        with pgtrigger.ignore():
            teardown(self)

    TransactionTestCase._fixture_teardown = teardown_ignoring_triggers  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = teardown  # type: ignore[method-assign]
