"""What a rule tree means, said once more in plain Python; knows nothing of `segments.rules`."""

import operator
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.segments.rules.world import Happening, Person

ZONE = ZoneInfo("Asia/Shanghai")
LONG_AGO, FAR_AHEAD = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
TEXT_TESTS = {"contains": operator.contains, "starts_with": str.startswith}
TIME = re.compile(r"\d{4}-\d\d-\d\d([T ][\d:.]+(Z|[+-]\d\d(:?\d\d)?)?)?")
ORDERINGS = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}


def matches(tree: dict[str, Any], person: Person, now: datetime) -> bool:
    """Whether the tree says yes to the person at `now`."""
    if "all" in tree:
        return all(matches(child, person, now) for child in tree["all"])
    if "any" in tree:
        return any(matches(child, person, now) for child in tree["any"])
    if "none" in tree:
        return not any(matches(child, person, now) for child in tree["none"])
    for kind, answer in SPECIAL.items():
        if kind in tree:
            return answer(tree, person, now)
    return compare(value_of(tree, person, now), tree, now)


def carries(tree: dict[str, Any], person: Person, now: datetime) -> bool:
    carried = any(
        tag.key == tree["tag"]
        and (tag.expires_at is None or tag.expires_at > now)
        and tag.weight >= Decimal(str(tree.get("min_weight", 0)))
        for tag in person.tags
    )
    return carried == (tree["op"] == "has")


def is_member(tree: dict[str, Any], person: Person, now: datetime) -> bool:
    return (tree["segment"] in person.segments) == (tree["op"] == "in")


def agreed(tree: dict[str, Any], person: Person, now: datetime) -> bool:
    action, end = person.consents.get((tree["consent"], tree["channel"]), ("never", None))
    return (action == "given" and (end is None or end > now)) == (tree["op"] == "given")


def lives(tree: dict[str, Any], person: Person, now: datetime) -> bool:
    places = tree["place"] if isinstance(tree["place"], list) else [tree["place"]]
    there = any(all(getattr(person, level) == name for level, name in place.items()) for place in places)
    return there if tree["op"] == "in" else bool(person.country) and not there


def celebrates(tree: dict[str, Any], person: Person, now: datetime) -> bool:
    """Whether the yearly day comes: told by walking through the days."""
    today = now.astimezone(ZONE).date()
    name = tree["anniversary"]
    value = person.statistics()[name] if name == "first_order_at" else getattr(person, name)
    if value is None:
        return False
    born = value.astimezone(ZONE).date() if isinstance(value, datetime) else value
    for ahead in range(tree["days"] + 1):
        day = today + timedelta(days=ahead)
        try:
            kept = born.replace(year=day.year)
        except ValueError:
            kept = date(day.year, 3, 1)
        if kept == day:
            return True
    return False


def in_sequence(tree: dict[str, Any], person: Person, now: datetime) -> bool:
    """Whether some first step was followed as the tree says."""
    within = timedelta(**tree["within"])
    steps = tree["sequence"]

    def fits(step: dict[str, Any], event: Happening) -> bool:
        is_such = event.name == step["event"] and event.category == step.get("category", event.category)
        return is_such and passes(step, event, now)

    def followed(event: Happening, place: int) -> bool:
        if place == len(steps):
            return True
        return any(
            fits(steps[place], later) and event.occurred_at < later.occurred_at <= min(now, event.occurred_at + within)
            and followed(later, place + 1)
            for later in person.events
        )  # fmt: skip

    window = {"event": steps[0]["event"], "window": tree.get("window", {})}
    firsts = [event for event in person.events if fits(steps[0], event) and counts(window, event, now)]
    if tree["op"] == "did":
        return any(followed(event, 1) for event in firsts)
    return any(event.occurred_at + within <= now and not followed(event, 1) for event in firsts)


def compare(value: Any, tree: dict[str, Any], now: datetime) -> bool:
    """Whether the operator holds between a value, None when absent, and the tree's."""
    op = tree["op"]
    if op in ("is_set", "is_not_set"):
        return (value is not None) == (op == "is_set")
    if op in ORDERINGS and isinstance(value, str) and isinstance(tree["value"], str | dict):
        value = time_in(value)
    if value is None:
        return False
    if op in ("in", "not_in", "eq", "ne"):
        raw = tree["value"] if "in" in op else [tree["value"]]
        wanted = [resolved(item, value, now) for item in raw]
        if not comparable(value, wanted[0]):
            return False  # a value of another type counts as absent
        return (value in wanted) == (op in ("in", "eq"))
    wanted = resolved(tree["value"], value, now)
    if op in ORDERINGS:
        return not isinstance(value, dict) and comparable(value, wanted) and bool(ORDERINGS[op](value, wanted))
    return isinstance(value, str) and TEXT_TESTS[op](value.lower(), wanted.lower())


def comparable(value: Any, wanted: Any) -> bool:
    """Numbers with numbers, but true is no number; everything else with its own type."""
    number = (int, float, Decimal)
    if isinstance(value, bool) or isinstance(wanted, bool):
        return isinstance(value, bool) and isinstance(wanted, bool)
    return isinstance(value, number) == isinstance(wanted, number) and (
        isinstance(value, number) or type(value) is type(wanted)
    )


def resolved(raw: Any, like: Any, now: datetime) -> Any:
    """The tree's value in the type of the value that it is compared with."""
    if isinstance(like, datetime):
        return now - timedelta(days=raw["days_ago"]) if isinstance(raw, dict) else instant(raw)
    if isinstance(like, date):
        today = now.astimezone(ZONE).date()
        return today - timedelta(days=raw["days_ago"]) if isinstance(raw, dict) else date.fromisoformat(raw)
    return Decimal(str(raw)) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw


def instant(raw: str) -> datetime:
    moment = datetime.fromisoformat(raw)
    return moment if moment.tzinfo else moment.replace(tzinfo=ZONE)


def time_in(text: str) -> datetime | None:
    """The time that a text says, if any."""
    try:
        return instant(text) if TIME.fullmatch(text) else None
    except ValueError:
        return None


def value_of(tree: dict[str, Any], person: Person, now: datetime) -> Any:
    """What the condition is about, None when absent."""
    if "event" in tree:
        return measured(tree, person, now)
    statistics = person.statistics()
    if "stat" in tree:
        return statistics[tree["stat"]]
    if "rfm" in tree:
        return statistics[f"rfm_{tree['rfm']}"]
    name = tree["attribute"]
    if name == "age":
        return person.birth_date and full_years(person.birth_date, now.astimezone(ZONE).date())
    if name.startswith("attributes."):
        return member(person.attributes, name.removeprefix("attributes."))
    return getattr(person, name) or None


def member(values: dict[str, Any] | None, key: str) -> Any:
    """What a JSON object says; empty text says nothing."""
    value = (values or {}).get(key)
    return None if value == "" else value


def full_years(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def measured(tree: dict[str, Any], person: Person, now: datetime) -> Any:
    events = [event for event in person.events if counts(tree, event, now)]
    amounts = [event.amount for event in events if event.amount is not None]
    times = [event.occurred_at for event in events]
    measures = {
        "count": len(events),
        "occasions": len(set(times)),
        "distinct_days": len({moment.astimezone(ZONE).date() for moment in times}),
        "sum": sum(amounts, Decimal(0)),
        "average": sum(amounts, Decimal(0)) / len(amounts) if amounts else None,
        "first": min(times, default=None),
        "last": max(times, default=None),
        "distinct": len({different(event, tree.get("of", "")) for event in events} - {None}),
    }
    return measures[tree.get("measure", "count")]


def different(event: Happening, of: str) -> Any:
    """What tells the category or a property of an event from other ones."""
    value = event.category or None if of == "category" else member(event.properties, of.removeprefix("properties."))
    return (
        value if value is None else (isinstance(value, bool), value if isinstance(value, int | float) else repr(value))
    )


def passes(tree: dict[str, Any], event: Happening, now: datetime) -> bool:
    return all(compare(member(event.properties, each["property"]), each, now) for each in tree.get("where", []))


def period(name: str, today: date) -> tuple[datetime, datetime]:
    """The period of the calendar, told by looking which days belong to it."""

    def belongs(day: date) -> bool:
        yesterday, week = today - timedelta(days=1), today - timedelta(weeks=1)
        month = today.replace(day=1) - timedelta(days=1)
        return {
            "today": day == today, "yesterday": day == yesterday,
            "this_week": day.isocalendar()[:2] == today.isocalendar()[:2],
            "last_week": day.isocalendar()[:2] == week.isocalendar()[:2],
            "this_month": (day.year, day.month) == (today.year, today.month),
            "last_month": (day.year, day.month) == (month.year, month.month),
            "this_year": day.year == today.year, "last_year": day.year == today.year - 1,
        }[name]  # fmt: skip

    days = [day for ahead in range(-800, 400) if belongs(day := today + timedelta(days=ahead))]
    first, last = min(days), max(days) + timedelta(days=1)
    return datetime.combine(first, time(), ZONE), datetime.combine(last, time(), ZONE)


def counts(tree: dict[str, Any], event: Happening, now: datetime) -> bool:
    window = tree.get("window", {})
    categories = tree.get("category", event.category)
    if "days" in window or "hours" in window:
        start = now - timedelta(days=window.get("days", 0), hours=window.get("hours", 0))
        within = start < event.occurred_at <= now
    elif "calendar" in window:
        start, end = period(window["calendar"], now.astimezone(ZONE).date())
        within = start <= event.occurred_at < end
    else:
        start = instant(window["from"]) if "from" in window else LONG_AGO
        end = instant(window["to"]) if "to" in window else FAR_AHEAD
        within = start <= event.occurred_at < end
    return (
        within
        and event.name == tree["event"]
        and event.category in ([categories] if isinstance(categories, str) else categories)
        and ("currency" not in tree or (event.amount is not None and event.currency == tree["currency"]))
        and passes(tree, event, now)
    )


SPECIAL = {
    "tag": carries, "segment": is_member, "consent": agreed, "place": lives, "anniversary": celebrates,
    "sequence": in_sequence,
}  # fmt: skip
