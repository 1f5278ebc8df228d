"""The seven models of attribution, against cases worked out by hand and against what must hold for all of them."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.attribution import MODELS, UNATTRIBUTED, Journey, attribute

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def journey(path: str, *, converted: bool = True, value: float = 1.0) -> Journey:
    """A touch a day, each channel a letter."""
    return Journey([(channel, START + DAY * day) for day, channel in enumerate(path)], converted, value)


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("first", {"a": 10, "b": 0, "c": 0}),
        ("last", {"a": 0, "b": 0, "c": 10}),
        ("linear", {"a": 2.5, "b": 5, "c": 2.5}),
        ("position", {"a": 4, "b": 2, "c": 4}),
        ("shapley", {"a": 10 / 3, "b": 10 / 3, "c": 10 / 3}),
    ],
)
def test_one_journey_by_hand(model: str, wanted: dict[str, float]) -> None:
    found = attribute([journey("abbc", value=10)], model)
    assert {channel: found.get(channel, 0) for channel in "abc"} == pytest.approx(wanted)


def test_time_decay_halves_with_each_half_life() -> None:
    found = attribute([journey("abc", value=7)], "time_decay", half_life=DAY)
    assert found == pytest.approx({"a": 1, "b": 2, "c": 4})


def test_markov_of_a_chain_by_hand() -> None:
    """Of a-b-c bought, a lost, b-c lost: without a half of the conversions remain, without b or c none."""
    journeys = [journey("abc", value=5), journey("a", converted=False), journey("bc", converted=False)]
    assert attribute(journeys, "markov") == pytest.approx({"a": 1, "b": 2, "c": 2})


def test_position_of_short_journeys() -> None:
    assert attribute([journey("a", value=3)], "position") == {"a": 3}
    assert attribute([journey("ab", value=4)], "position", first=0.6, last=0.2) == pytest.approx({"a": 3, "b": 1})
    assert attribute([journey("ab", value=4)], "position", first=0, last=0) == pytest.approx({"a": 2, "b": 2})


def test_touches_count_in_the_order_of_their_times() -> None:
    mixed = Journey([("late", START + DAY), ("early", START)])
    assert attribute([mixed], "first")["early"] == 1
    assert attribute([mixed], "last")["late"] == 1


def test_shapley_is_the_mean_marginal_gain_over_all_orders() -> None:
    journeys = [journey("a", value=3), journey("ab", value=5), journey("cba", value=7), journey("c", converted=False)]

    def worth(coalition: set[str]) -> float:
        return sum(j.value for j in journeys if j.converted and {name for name, _ in j.touches} <= coalition)

    gains = dict.fromkeys("abc", 0.0)
    orders = list(permutations("abc"))
    for order in orders:
        for place, channel in enumerate(order):
            gains[channel] += worth(set(order[: place + 1])) - worth(set(order[:place]))
    wanted = {channel: gain / len(orders) for channel, gain in gains.items()}
    assert attribute(journeys, "shapley") == pytest.approx(wanted)


JOURNEYS = st.lists(
    st.builds(
        lambda path, converted, value: journey("".join(path), converted=converted, value=value),
        st.lists(st.sampled_from("abcd"), max_size=13), st.booleans(), st.floats(0, 1e6),
    ),
    max_size=12,
)  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@given(journeys=JOURNEYS)
def test_credits_sum_to_the_converted_value(model: str, journeys: list[Journey]) -> None:
    found = attribute(iter(journeys), model)
    assert sum(found.values()) == pytest.approx(sum(j.value for j in journeys if j.converted), abs=1e-6)
    assert all(credit >= -1e-9 for credit in found.values())
    without = sum(j.value for j in journeys if j.converted and not j.touches)
    assert found.get(UNATTRIBUTED, 0.0) == pytest.approx(without)


@pytest.mark.parametrize("model", MODELS)
def test_without_journeys_nobody_has_credit(model: str) -> None:
    assert attribute([], model) == {}


@pytest.mark.parametrize(
    ("model", "options", "named"),
    [
        ("best", {}, "model"), ("linear", {"half_life": DAY}, "half_life"),
        ("time_decay", {"half_life": 0 * DAY}, "half_life"),
        ("position", {"first": 0.8, "last": 0.3}, "first, last"), ("position", {"first": -0.1}, "first, last"),
    ],
)  # fmt: skip
def test_a_wrong_wish_is_named(model: str, options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}"):
        attribute([journey("a")], model, **options)


def test_a_value_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^value"):
        attribute([journey("a", value=float("nan"))], "linear")
