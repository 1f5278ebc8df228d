"""Rule trees: who belongs to a segment, as JSON, as a sentence and as one QuerySet.

A group is an object with one key: `{"all": [..]}`, `{"any": [..]}` or `{"none": [..]}`; an empty `any` is
nobody, an empty `all` or `none` everybody. A condition is an object whose one telling key names its kind:
`attribute`, `event`, `tag`, `rfm`, `stat`, `sequence`, `anniversary`, `place`,
`segment` or `consent` (see `segments.rules.conditions`), or a kind that another app
registered with `register`.

    rule = parse({"all": [{"rfm": "recency", "op": "gte", "value": 4}, {"tag": "vip", "op": "has"}]})
    rule.queryset(now)                   # ids of profiles
    rule.queryset(now, only=[17, 42])    # which of these two
    rule.describe()                      # "Recency quintile is at least 4 and has the tag “vip”"
    rule.depends_on()                    # events, attributes, tags, clock
"""

from segments.rules.compilation import Compilation, PeopleIds
from segments.rules.conditions import (
    anniversary,
    attribute,
    consent,
    event,
    membership,
    place,
    sequence,
    statistic,
    tag,
)
from segments.rules.errors import RuleError
from segments.rules.nodes import ANY_EVENT, Dependencies, Node, Predicate
from segments.rules.registry import kinds, register
from segments.rules.rule import Rule, parse

register("anniversary", anniversary.parse)
register("attribute", attribute.parse)
register("consent", consent.parse)
register("event", event.parse)
register("place", place.parse)
register("rfm", statistic.parse_rfm)
register("segment", membership.parse)
register("sequence", sequence.parse)
register("stat", statistic.parse_stat)
register("tag", tag.parse)

__all__ = [
    "ANY_EVENT",
    "Compilation",
    "Dependencies",
    "Node",
    "PeopleIds",
    "Predicate",
    "Rule",
    "RuleError",
    "kinds",
    "parse",
    "register",
]
