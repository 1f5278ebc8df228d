"""Hours of local time: the plain function by known moments, and PostgreSQL against it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns.hours import (
    ALL_DAY,
    DAY,
    LONGEST_WAIT,
    WEEK,
    WEEKDAYS,
    Hours,
    HoursError,
    Range,
    next_allowed,
    parse_ranges,
    write_ranges,
)
from campaigns.selectors import moments
from segments.models import Profile
from tests.factories.segments import make_profile

WORKDAYS = (1, 2, 3, 4, 5)
NIGHT = parse_ranges("22:00-08:00")
LUNCH_AND_EVENING = parse_ranges("12:00-13:30, 20:00-22:00")
OFFICE = parse_ranges("9:00-17:00")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("12:00-13:30, 20:00-22:00", "12:00-13:30, 20:00-22:00"),
        ("9:00–17:00；22:00 - 6:15", "09:00-17:00, 22:00-06:15"),
        ("00:00-24:00", "00:00-24:00"),
        ("22：00-00：00", "22:00-00:00"),
    ],
)
def test_ranges_are_read_and_written(text: str, written: str) -> None:
    assert write_ranges(parse_ranges(text)) == written


@pytest.mark.parametrize("text", ["", " , ", "noon", "12:00", "12:60-13:00", "24:00-25:00", "10:00-24:01", "8:00-8:00"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(HoursError):
        parse_ranges(text)


@pytest.mark.parametrize(
    ("zone", "at", "ranges", "weekdays", "quiet", "expected"),
    [
        ("Asia/Shanghai", "2026-03-02 04:15:20", LUNCH_AND_EVENING, WEEKDAYS, (), "2026-03-02 04:15:20"),
        ("Asia/Shanghai", "2026-03-02 05:30", LUNCH_AND_EVENING, WEEKDAYS, (), "2026-03-02 12:00"),
        ("Asia/Kolkata", "2026-03-02 03:29:59", OFFICE, WORKDAYS, (), "2026-03-02 03:30"),
        ("Asia/Kathmandu", "2026-03-02 01:00", OFFICE, WORKDAYS, (), "2026-03-02 03:15"),
        ("America/St_Johns", "2026-01-15 00:00", OFFICE, WORKDAYS, (), "2026-01-15 12:30"),
        # Friday evening in Apia is Friday morning in UTC; the next Monday there begins on Sunday.
        ("Pacific/Apia", "2026-03-06 05:00", OFFICE, WORKDAYS, (), "2026-03-08 20:00"),
        # From one day to the next the window comes an hour earlier, as UTC sees it.
        ("Europe/Berlin", "2026-03-28 12:30", parse_ranges("12:00-13:00"), WEEKDAYS, (), "2026-03-29 10:00"),
        # 02:30 does not exist on 29 March, so that only 03:00-03:30 is left; on 25 October it comes twice.
        ("Europe/Berlin", "2026-03-29 00:00", parse_ranges("02:30-03:30"), WEEKDAYS, (), "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-03-28 01:30", parse_ranges("02:00-02:30"), WEEKDAYS, (), "2026-03-30 00:00"),
        ("Europe/Berlin", "2026-10-25 00:15", parse_ranges("02:00-02:15"), WEEKDAYS, (), "2026-10-25 01:00"),
        # Across midnight: the range that began on Friday goes on until Saturday's morning, and no further.
        ("UTC", "2026-03-07 01:00", parse_ranges("22:00-02:00"), WORKDAYS, (), "2026-03-07 01:00"),
        ("UTC", "2026-03-07 02:00", parse_ranges("22:00-02:00"), WORKDAYS, (), "2026-03-09 22:00"),
        # Quiet hours win over the window, and cross midnight on every day.
        ("Asia/Shanghai", "2026-03-02 14:00", (ALL_DAY,), WEEKDAYS, NIGHT, "2026-03-03 00:00"),
        ("Asia/Shanghai", "2026-03-02 14:00", parse_ranges("21:00-23:00"), WEEKDAYS, NIGHT, "2026-03-03 13:00"),
        ("Asia/Shanghai", "2026-03-02 14:00", parse_ranges("23:00-07:00"), WEEKDAYS, NIGHT, None),
    ],
)
@pytest.mark.django_db
def test_next_allowed_moment(
    zone: str, at: str, ranges: tuple[Range, ...], weekdays: tuple[int, ...], quiet: tuple[Range, ...],
    expected: str | None,
) -> None:  # fmt: skip
    wanted = utc(expected) if expected else None
    assert next_allowed(utc(at), ZoneInfo(zone), ranges, weekdays, quiet) == wanted
    assert _by_postgresql(Hours(ranges, frozenset(weekdays), quiet), [zone], utc(at)) == {zone: wanted}


def test_allowed_week_has_the_minutes_that_are_allowed() -> None:
    assert Hours(OFFICE, frozenset(WORKDAYS)).week() == [(day * DAY + 540, day * DAY + 1020) for day in range(5)]
    assert Hours(quiet=NIGHT).week() == [(day * DAY + 480, day * DAY + 1320) for day in range(7)]
    assert Hours(parse_ranges("23:00-01:00"), frozenset({7})).week() == [(0, 60), (WEEK - 60, WEEK)]
    assert Hours(NIGHT, quiet=NIGHT).week() == []
    assert Hours().any_time
    assert not Hours(quiet=NIGHT).any_time


ZONES = (
    "Asia/Shanghai", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu",
    "Pacific/Chatham", "Australia/Lord_Howe", "America/New_York", "Pacific/Kiritimati", "Etc/GMT+12",
    "Africa/Casablanca",
)  # fmt: skip
# Days on which clocks change somewhere, and days around the change of the date line in Apia in 2011.
CHANGES = (
    "2026-03-08", "2026-03-29", "2026-04-05", "2026-09-27", "2026-10-04", "2026-10-25", "2026-11-01", "2026-02-15",
    "2026-03-22", "2011-12-30",
)  # fmt: skip

minutes = st.integers(0, DAY - 1)
spans = st.builds(Range, minutes, minutes).filter(lambda one: one.begins != one.ends)
near_changes = st.builds(
    lambda day, minute, second: utc(day) + timedelta(minutes=minute, seconds=second),
    st.sampled_from(CHANGES), st.integers(-3 * DAY, 2 * DAY), st.sampled_from([0, 0, 17]),
)  # fmt: skip


@pytest.mark.django_db
@settings(max_examples=40, deadline=None)
@given(
    at=near_changes,
    ranges=st.lists(spans, min_size=1, max_size=3),
    weekdays=st.sets(st.sampled_from(WEEKDAYS), min_size=1),
    quiet=st.lists(spans, max_size=2),
)
@example(at=utc("2026-10-25 00:59"), ranges=[Range(120, 121)], weekdays={7}, quiet=[])
@example(at=utc("2026-03-28 12:00"), ranges=[Range(120, 180)], weekdays={7}, quiet=[])
@example(at=utc("2011-12-29 12:00"), ranges=[Range(0, 1)], weekdays={5}, quiet=[])
def test_postgresql_finds_the_same_moment(
    at: datetime, ranges: list[Range], weekdays: set[int], quiet: list[Range]
) -> None:
    hours = Hours(tuple(ranges), frozenset(weekdays), tuple(quiet))
    expected = {name: hours.next_allowed(at, ZoneInfo(name)) for name in ZONES}
    assert _by_postgresql(hours, ZONES, at) == expected


def _by_postgresql(hours: Hours, zones: tuple[str, ...] | list[str], at: datetime) -> dict[str, datetime | None]:
    """What planning gives people in these zones, who have nothing else against them."""
    people = {name: _person(number, name) for number, name in enumerate(zones)}
    asked = "SELECT subject_id, NULL::bytea, '', timezone FROM segments_profile WHERE subject_id = ANY(%s)"
    sql, params = moments.planned(asked, [list(people.values())], hours=hours, at=at)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found = {person: (reason, due) for person, _, reason, due, _ in cursor.fetchall()}
    for reason, due in found.values():
        assert (reason, due) == ("no_moment", at) or (reason == "" and at <= due <= at + LONGEST_WAIT)
    return {name: found[pk][1] if not found[pk][0] else None for name, pk in people.items()}


def _person(number: int, zone: str) -> int:
    known = Profile.objects.filter(timezone=zone).first() or make_profile(number)
    Profile.objects.filter(pk=known.pk).update(timezone=zone)
    return known.pk
