"""Random rule trees for hypothesis, over the values that `tests.segments.rules.world` makes people of."""

from typing import Any

from hypothesis import strategies as st

from tests.segments.rules import world

Tree = dict[str, Any]

ORDER = ["lt", "lte", "gt", "gte"]
COUNTS = ["eq", "ne", *ORDER]
DAYS = st.fixed_dictionaries({"days_ago": st.sampled_from([0, 1, 7, 30, 60])})
TEXTS = st.sampled_from(["Shanghai", "shang", "100% Town_", "%", "_", "上", "tea", "4"])
NUMBERS = st.sampled_from([-1, 0, 3, 3.5, 4, 10])


def _condition(head: Tree, ops: list[str], value: st.SearchStrategy[Any]) -> st.SearchStrategy[Tree]:
    def of(op: str) -> st.SearchStrategy[Tree]:
        fixed = {key: st.just(item) for key, item in head.items()} | {"op": st.just(op)}
        if op in ("is_set", "is_not_set"):
            return st.fixed_dictionaries(fixed)
        values = st.lists(value, min_size=1, max_size=3) if op in ("in", "not_in") else value
        return st.fixed_dictionaries({**fixed, "value": values})

    return st.sampled_from(ops).flatmap(of)


EQUALITY, PRESENCE = ["eq", "ne", "in", "not_in"], ["is_set", "is_not_set"]
TEXT_OPS = [*EQUALITY, "contains", "starts_with", *PRESENCE]
MOMENTS = DAYS | st.sampled_from(["2026-02-01", "2026-02-23T04:00:00Z", "2026-01-31T12:00:00"])
BIRTHDAYS = DAYS | st.sampled_from([day.isoformat() for day in world.BIRTHDAYS])


def _json(head: Tree) -> st.SearchStrategy[Tree]:
    return st.one_of(
        _condition(head, TEXT_OPS, TEXTS),
        _condition(head, [*EQUALITY, *ORDER, *PRESENCE], NUMBERS),
        _condition(head, ["eq", "ne"], st.booleans()),
        _condition(head, ORDER, MOMENTS),
    )


ATTRIBUTES = st.one_of(
    _condition({"attribute": "city"}, TEXT_OPS, TEXTS),
    _condition({"attribute": "gender"}, [*EQUALITY, *PRESENCE], st.sampled_from(["female", "male", "other"])),
    _condition({"attribute": "birth_date"}, [*EQUALITY, *ORDER, *PRESENCE], BIRTHDAYS),
    _condition({"attribute": "age"}, [*EQUALITY, *ORDER, *PRESENCE], st.sampled_from([21, 22, 59, 60])),
    _condition({"attribute": "created_at"}, [*ORDER, *PRESENCE], MOMENTS),
)
JSON = st.sampled_from(world.JSON_KEYS).flatmap(lambda key: _json({"attribute": f"attributes.{key}"}))
WHERE = st.lists(
    st.sampled_from(world.PROPERTY_KEYS).flatmap(lambda key: _json({"property": key})), min_size=1, max_size=2
)
TAGS = st.fixed_dictionaries(
    {"tag": st.sampled_from([*world.TAGS, "unheard-of"]), "op": st.sampled_from(["has", "has_not"])},
    optional={"min_weight": st.sampled_from([0.5, 1, 2])},
)
RFM = st.sampled_from(["recency", "frequency", "monetary"]).flatmap(
    lambda name: _condition({"rfm": name}, [*EQUALITY, *ORDER, *PRESENCE], st.integers(1, 5))
)
STATS = st.one_of(
    _condition({"stat": "event_count"}, COUNTS, st.integers(0, 5)),
    _condition({"stat": "order_count"}, COUNTS, st.integers(0, 3)),
    _condition({"stat": "order_amount"}, COUNTS, NUMBERS),
    _condition({"stat": "last_order_at"}, [*ORDER, *PRESENCE], MOMENTS),
    _condition({"stat": "first_event_at"}, [*ORDER, *PRESENCE], MOMENTS),
)
WINDOWS = st.one_of(
    st.fixed_dictionaries({"days": st.sampled_from([1, 7, 30, 60])}),
    st.just({"hours": 1}),
    st.builds(
        lambda name: {"calendar": name},
        st.sampled_from(
            ["today", "yesterday", "this_week", "last_week", "this_month", "last_month", "this_year", "last_year"]
        ),
    ),
    st.sampled_from(
        [
            {"from": "2026-02-01", "to": "2026-03-01"},
            {"from": "2026-02-23T04:00:00Z"},
            {"to": "2026-03-02T03:00:00Z"},
        ]
    ),
)


def _event(name: str, measure: str) -> st.SearchStrategy[Tree]:
    head = {"event": name, **({"measure": "distinct", "of": measure} if measure in DISTINCT else {"measure": measure})}
    if measure in ("first", "last"):
        base = _condition(head, [*ORDER, *PRESENCE], MOMENTS)
    elif measure == "average":
        base = _condition(head, [*ORDER, *PRESENCE], NUMBERS)
    else:
        base = _condition(head, COUNTS, NUMBERS if measure == "sum" else st.integers(0, 4))
    extras = st.fixed_dictionaries(
        {},
        optional={
            "window": WINDOWS,
            "category": st.sampled_from(["tea", ["fruit", "toys"]]),
            "currency": st.sampled_from(["CNY", "EUR"]),
            "where": WHERE,
        },
    )
    return st.builds(lambda condition, extra: {**condition, **extra}, base, extras)


DISTINCT = ["category", *(f"properties.{key}" for key in world.PROPERTY_KEYS)]
MEASURES = ["count", "occasions", "distinct_days", "sum", "average", "first", "last", *DISTINCT]
EVENTS = st.tuples(st.sampled_from(world.EVENTS), st.sampled_from(MEASURES)).flatmap(lambda drawn: _event(*drawn))
SEGMENTS = st.fixed_dictionaries(
    {"segment": st.sampled_from([*world.SEGMENTS, "unheard-of"]), "op": st.sampled_from(["in", "not_in"])}
)
CONSENTS = st.fixed_dictionaries(
    {
        "consent": st.sampled_from(["offers", "news", "unheard-of"]),
        "channel": st.sampled_from(["email", "sms"]),
        "op": st.sampled_from(["given", "not_given"]),
    }
)
PLACE = st.fixed_dictionaries(
    {"country": st.sampled_from(["CN", "FR"])}, optional={"city": st.sampled_from(["Shanghai", "Beijing"])}
)
PLACES = st.fixed_dictionaries(
    {"place": PLACE | st.lists(PLACE, min_size=1, max_size=3), "op": st.sampled_from(["in", "not_in"])}
)
ANNIVERSARIES = st.fixed_dictionaries(
    {
        "anniversary": st.sampled_from(["birth_date", "created_at", "first_order_at"]),
        "op": st.just("within"),
        "days": st.sampled_from([0, 1, 7, 120, 365]),
    }
)
STEP = st.fixed_dictionaries(
    {"event": st.sampled_from(world.EVENTS)}, optional={"category": st.just("tea"), "where": WHERE}
)
WITHIN = st.sampled_from([{"minutes": 1}, {"hours": 1}, {"days": 7}, {"days": 60}])
SEQUENCES = st.one_of(
    st.fixed_dictionaries(
        {"sequence": st.lists(STEP, min_size=2, max_size=3), "op": st.just("did"), "within": WITHIN},
        optional={"window": WINDOWS},
    ),
    st.fixed_dictionaries(
        {"sequence": st.lists(STEP, min_size=2, max_size=2), "op": st.just("did_not"), "within": WITHIN},
        optional={"window": WINDOWS},
    ),
)
CONDITIONS = st.one_of(ATTRIBUTES, JSON, EVENTS, TAGS, RFM, STATS, SEGMENTS, CONSENTS, PLACES, ANNIVERSARIES, SEQUENCES)
TREES: st.SearchStrategy[Tree] = st.recursive(
    CONDITIONS,
    lambda children: st.builds(
        lambda kind, nodes: {kind: nodes},
        st.sampled_from(["all", "any", "none"]),
        st.lists(children, max_size=4),
    ),
    max_leaves=8,
)
