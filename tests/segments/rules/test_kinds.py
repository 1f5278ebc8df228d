"""The kinds of condition on segments, consents, places, yearly days and sequences: mistakes, sentences, circles."""

from datetime import datetime
from typing import Any

import pytest

from segments.models import Segment
from segments.rules import RuleError, parse
from segments.services import refreshing, segments

STEPS = [{"event": "add_to_cart"}, {"event": "purchase", "category": "tea"}]


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        ({"segment": "", "op": "in"}, "/segment"),
        ({"segment": "vip", "op": "has"}, "/op"),
        ({"consent": "offers", "op": "given"}, "/channel"),
        ({"consent": "offers", "channel": "pigeon", "op": "given"}, "/channel"),
        ({"consent": "offers", "channel": "email", "op": "has"}, "/op"),
        ({"place": {"city": "Wuhan"}, "op": "in"}, "/place/country"),
        ({"place": [{"country": "CN"}, {"country": ""}], "op": "in"}, "/place/1/country"),
        ({"place": [], "op": "in"}, "/place"),
        ({"place": "CN", "op": "in"}, "/place"),
        ({"place": {"country": "CN", "street": "x"}, "op": "in"}, "/place/street"),
        ({"anniversary": "city", "op": "within", "days": 1}, "/anniversary"),
        ({"anniversary": "attributes.", "op": "within", "days": 1}, "/anniversary"),
        ({"anniversary": "birth_date", "op": "within", "days": 366}, "/days"),
        ({"anniversary": "birth_date", "op": "within"}, "/days"),
        ({"sequence": STEPS[:1], "op": "did", "within": {"days": 1}}, "/sequence"),
        ({"sequence": [*STEPS, *STEPS], "op": "did_not", "within": {"days": 1}}, "/sequence"),
        ({"sequence": [STEPS[0], "purchase"], "op": "did", "within": {"days": 1}}, "/sequence/1"),
        ({"sequence": [STEPS[0], {"event": ""}], "op": "did", "within": {"days": 1}}, "/sequence/1/event"),
        ({"sequence": STEPS, "op": "did"}, "/within"),
        ({"sequence": STEPS, "op": "did", "within": {"weeks": 1}}, "/within"),
        ({"sequence": STEPS, "op": "did", "within": {"days": 0}}, "/within/days"),
        ({"event": "purchase", "op": "gte", "value": 1, "window": {"calendar": "next_week"}}, "/window/calendar"),
    ],
)
def test_a_mistake_is_named_by_its_place(definition: dict[str, Any], path: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(definition)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        ({"segment": "vip", "op": "not_in"}, "Is not in the segment “vip”"),
        ({"consent": "offers", "channel": "email", "op": "given"}, "Has agreed to “offers” by E-mail"),
        ({"place": {"country": "CN", "city": "Wuhan"}, "op": "in"}, "Lives in Wuhan, CN"),
        ({"place": [{"country": "CN"}, {"country": "FR"}], "op": "not_in"}, "Lives outside of CN or FR"),
        (
            {"anniversary": "birth_date", "op": "within", "days": 7},
            "Anniversary of “date of birth” is within 7 days",
        ),
        ({"anniversary": "attributes.wedding", "op": "within", "days": 0}, "Anniversary of “wedding” is today"),
        (
            {"sequence": STEPS, "op": "did_not", "within": {"hours": 24}, "window": {"days": 7}},
            "Did “add_to_cart” in the last 7 days and not “purchase” in category “tea” within 24 hours",
        ),
        (
            {"sequence": STEPS, "op": "did", "within": {"minutes": 1}},
            "Did “add_to_cart”, then “purchase” in category “tea”, each within 1 minute",
        ),
        (
            {"event": "purchase", "op": "gte", "value": 1, "window": {"calendar": "this_week"}},
            "Number of “purchase” events this week is at least 1",
        ),
    ],
)
def test_the_sentence_of_a_rule(definition: dict[str, Any], sentence: str) -> None:
    assert parse(definition).describe() == sentence


@pytest.mark.django_db
def test_segments_that_ask_for_each_other_are_refused_by_name(now: datetime) -> None:
    def create(key: str, definition: dict[str, Any]) -> Segment:
        return segments.create(key=key, name=key, definition=definition, actor="test", now=now)

    with pytest.raises(RuleError, match="no such segment: b"):
        create("a", {"segment": "b", "op": "in"})
    first = create("a", {"all": []})
    create("b", {"segment": "a", "op": "in"})
    create("c", {"none": [{"segment": "b", "op": "in"}]})
    with pytest.raises(RuleError, match="segment:a → segment:c → segment:b → segment:a"):
        segments.change_definition(segment=first, definition={"segment": "c", "op": "in"}, actor="test", now=now)
    with pytest.raises(RuleError, match="segment:d → segment:d"):
        create("d", {"segment": "d", "op": "in"})


@pytest.mark.django_db
def test_a_refresh_goes_in_the_order_in_which_segments_need_each_other(now: datetime) -> None:
    """The one made last is needed by the others: one pass is enough."""
    for key, definition in {
        "top": {"all": []}, "middle": {"all": []}, "base": {"all": []},
    }.items():  # fmt: skip
        segments.create(key=key, name=key, definition=definition, actor="test", now=now)
    for key, needed in (("top", "middle"), ("middle", "base")):
        segments.change_definition(
            segment=Segment.objects.get(key=key), definition={"segment": needed, "op": "in"}, actor="test", now=now
        )
    assert list(refreshing.refresh_all(now=now, actor="test")) == ["base", "middle", "top"]
