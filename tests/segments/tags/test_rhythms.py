"""When a definition is due next."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from segments.rhythms import next_due

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("rhythm", "expected"),
    [
        ("never", None),
        ("crontab", None),
        ("hourly", "2026-03-02T12:05:00+08:00"),
        ("daily", "2026-03-03T04:00:00+08:00"),
        ("at_once", "2026-03-03T04:00:00+08:00"),
        ("weekly", "2026-03-09T04:00:00+08:00"),
        ("monthly", "2026-04-01T04:00:00+08:00"),
    ],
)
def test_the_next_moment_of_a_rhythm(rhythm: str, expected: str | None, now: datetime) -> None:
    assert next_due(rhythm, now, SHANGHAI) == (expected and datetime.fromisoformat(expected))


@pytest.mark.parametrize("rhythm", ["hourly", "daily", "weekly", "monthly"])
def test_a_moment_is_never_its_own_next(rhythm: str, now: datetime) -> None:
    first = next_due(rhythm, now, SHANGHAI)
    assert first is not None
    second = next_due(rhythm, first, SHANGHAI)
    assert second is not None
    assert second > first > now


def test_before_dawn_stays_so_when_the_clock_changes() -> None:
    saturday = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)  # summer time begins in the night
    assert next_due("daily", saturday, BERLIN) == datetime(2026, 3, 29, 2, 0, tzinfo=UTC)


def test_december_is_followed_by_january() -> None:
    assert next_due("monthly", datetime(2026, 12, 5, tzinfo=UTC), SHANGHAI) == datetime(2026, 12, 31, 20, 0, tzinfo=UTC)
