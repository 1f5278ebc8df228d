"""When crontabs fire, worked out by hand; with the calendar's and the clock's traps."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.crontabs import Crontab, CrontabError, read

BERLIN = "Europe/Berlin"


def make(
    minute: str = "0", hour: str = "9", dom: str = "*", month: str = "*", dow: str = "*", zone: str = "UTC"
) -> Crontab:
    return read(
        {
            "minute": minute, "hour": hour, "day_of_month": dom, "month_of_year": month, "day_of_week": dow,
            "timezone": zone,
        }
    )  # fmt: skip


def times(crontab: Crontab, after: str, count: int) -> list[str]:
    found = islice(crontab.times(after=datetime.fromisoformat(after).replace(tzinfo=UTC)), count)
    return [f"{at:%Y-%m-%d %H:%M}" for at in found]


def test_a_time_that_the_clocks_leave_out_is_as_much_later() -> None:
    assert times(make("30", "2", zone=BERLIN), "2026-03-28T00:00", 3) == [
        "2026-03-28 01:30",  # 02:30 CET
        "2026-03-29 01:30",  # 02:30 is left out: 03:30 CEST
        "2026-03-30 00:30",  # 02:30 CEST
    ]


def test_a_time_that_the_clocks_show_twice_fires_the_first_time() -> None:
    crontab = make("30", "2", zone=BERLIN)
    assert times(crontab, "2026-10-24T00:00", 3) == ["2026-10-24 00:30", "2026-10-25 00:30", "2026-10-26 01:30"]
    # Asked between the two half past twos, it does not fire a second time.
    assert times(crontab, "2026-10-25T00:31", 1) == ["2026-10-26 01:30"]


def test_hourly_times_on_the_days_of_change_are_all_different_and_none_is_lost() -> None:
    hourly = make("30", "*", zone=BERLIN)
    spring = times(hourly, "2026-03-29T00:00", 3)
    assert spring == ["2026-03-29 00:30", "2026-03-29 01:30", "2026-03-29 02:30"]  # 01:30, 03:30, 04:30
    assert times(hourly, "2026-10-25T00:00", 2) == ["2026-10-25 00:30", "2026-10-25 02:30"]


def test_month_ends() -> None:
    assert times(make(dom="31"), "2026-01-01T00:00", 4) == [
        "2026-01-31 09:00", "2026-03-31 09:00", "2026-05-31 09:00", "2026-07-31 09:00",
    ]  # fmt: skip
    assert times(make(dom="29", month="2"), "2026-01-01T00:00", 2) == ["2028-02-29 09:00", "2032-02-29 09:00"]
    assert times(make(dom="29", month="2", dow="1"), "2026-01-01T00:00", 2) == ["2044-02-29 09:00", "2072-02-29 09:00"]
    # The one calendar gap of 40 years: 2100 is no leap year.
    assert times(make(dom="29", month="2", dow="1"), "2072-03-01T00:00", 1) == ["2112-02-29 09:00"]


def test_a_day_suits_day_of_month_and_day_of_week_both() -> None:
    assert times(make(dom="1-7", dow="mon"), "2026-03-01T00:00", 2) == ["2026-03-02 09:00", "2026-04-06 09:00"]


def test_the_day_is_that_of_the_zone() -> None:
    assert times(make("15", "7", dow="1", zone="Asia/Shanghai"), "2026-03-01T00:00", 2) == [
        "2026-03-01 23:15", "2026-03-08 23:15",
    ]  # fmt: skip
    assert times(make("0", "20", dow="0", zone="America/Los_Angeles"), "2026-03-01T12:00", 2) == [
        "2026-03-02 04:00", "2026-03-09 03:00",
    ]  # fmt: skip


def test_start_and_end_belong_to_it() -> None:
    day = datetime(2026, 3, 2, 9, tzinfo=UTC)
    bounded = make().times(after=day - timedelta(days=9), starts_at=day, ends_at=day + timedelta(days=1))
    assert list(bounded) == [day, day + timedelta(days=1)]
    assert list(make().times(after=day, ends_at=day)) == []


@given(
    hours=st.integers(0, 3 * 365 * 24),
    zone=st.sampled_from([BERLIN, "Asia/Shanghai", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca"]),
    hour=st.sampled_from(["*", "2", "0-3", "*/5"]),
)
@settings(max_examples=60, deadline=None)
def test_the_times_are_the_same_wherever_one_starts(hours: int, zone: str, hour: str) -> None:
    """So a time is a key: whoever computes it, from whatever moment, gets the same."""
    crontab = make("10,40", hour, zone=zone)
    start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    found = list(islice(crontab.times(after=start), 12))
    for number, at in enumerate(found[:-1]):
        assert next(crontab.times(after=at)) == found[number + 1]
        assert next(crontab.times(after=at - timedelta(seconds=1))) == at
        assert at.astimezone(ZoneInfo(zone)).minute in (10, 40)
    assert all(earlier < later for earlier, later in pairwise(found))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"minute": "60"}, "minute"),
        ({"minute": ""}, "minute"),
        ({"minute": "*/0"}, "minute"),
        ({"minute": "5;"}, "minute"),
        ({"hour": "24"}, "hour"),
        ({"hour": "5-3"}, "hour"),
        ({"dom": "0"}, "day_of_month"),
        ({"month": "13"}, "month_of_year"),
        ({"dow": "7"}, "day_of_week"),  # django-celery-beat takes it for Sunday, celery does not take it
        ({"dow": "someday"}, "day_of_week"),
        ({"zone": "Berlin"}, "timezone"),
        ({"dom": "30", "month": "2"}, "day_of_month"),
        ({"dom": "31", "month": "4,6,9,11"}, "day_of_month"),
        ({"minute": "*"}, "minute"),
        ({"minute": "*/10"}, "minute"),
        ({"minute": "0,50", "hour": "9-10"}, "minute"),  # 09:50 and 10:00
        ({"minute": "0,50", "hour": "0,23"}, "minute"),
    ],
)
def test_what_is_refused_names_the_field(fields: dict[str, str], field: str) -> None:
    with pytest.raises(CrontabError) as raised:
        make(**fields)
    assert raised.value.field == field
    assert raised.value.reason


@pytest.mark.parametrize("fields", [{"minute": "*/15", "hour": "*"}, {"minute": "0,50", "hour": "9,11"}])
def test_every_quarter_of_an_hour_is_allowed(fields: dict[str, str]) -> None:
    assert make(**fields).shortest.total_seconds() >= 900
