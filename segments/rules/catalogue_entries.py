"""The kinds of condition of segments in the catalogue. Labels stand here; all else comes from the parsers' tables."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from compliance.channels import Channel
from segments.rules.catalogue import Entry, Field, Option, register
from segments.rules.conditions import anniversary, consent, event, place, properties, sequence
from segments.rules.conditions.attribute import COLUMNS, JSON_PREFIX
from segments.rules.conditions.statistic import STATISTICS
from segments.rules.window import LABELS


def attribute_entry() -> Entry:
    subject = Field(
        "attribute", "subject", _("Attribute"), prefix=JSON_PREFIX, suggest="attributes",
        options=[Option(name, _headed(label), value_type) for name, (value_type, label) in COLUMNS.items()],
    )  # fmt: skip
    comparison = Field("", "comparison", typed_by="attribute", suggest="attribute_values", context=["attribute"])
    return Entry(_("Attribute"), "person", [subject, comparison])


def event_entry() -> Entry:
    measures = [
        Option(name, _headed(measure.label % {"events": _("events")}), measure.type)
        for name, measure in event.MEASURES.items()
    ]
    fields = [
        Field("event", "name", _("Event"), suggest="events"),
        Field("measure", "select", _("Measure"), options=measures, initial="count"),
        Field(
            "of", "subject", _("of"), when=("measure", "distinct"), options=[Option("category", _("Category"))],
            prefix=properties.PREFIX, suggest="properties", context=["event"],
        ),
        Field("", "comparison", typed_by="measure", initial={"op": "gte", "value": 1}),
        window(),
        where(),
        category(),
        Field("currency", "name", _("Currency"), optional=True, suggest="currencies"),
    ]  # fmt: skip
    return Entry(_("Event"), "bolt", fields)


def sequence_entry() -> Entry:
    step = [
        Field("event", "name", _("Event"), suggest="events"),
        Field("category", "name", _("Category"), optional=True, suggest="categories", context=["event"]),
        where(),
    ]
    return Entry(
        _("Sequence of events"),
        "conversion_path",
        [
            operators("did", _("did all in this order"), "did_not", _("did the first, but not the second")),
            Field("sequence", "steps", _("Steps"), fields=step, bounds=(sequence.MIN_STEPS, sequence.MAX_STEPS)),
            Field("within", "duration", _("each within"), units=list(sequence.UNITS), initial={"days": 1}),
            window(),
        ],
    )


def anniversary_entry() -> Entry:
    days = [Option(name, _headed(label)) for name, (_path, label, _is_time) in anniversary.COLUMNS.items()]
    bounds = (anniversary.DAYS.least, anniversary.DAYS.most)
    return Entry(
        _("Anniversary"),
        "cake",
        [
            Field("anniversary", "subject", _("Yearly day of"), options=days, prefix=JSON_PREFIX, suggest="attributes"),
            Field("op", "select", options=[Option("within", _("comes within the next days"))], initial="within"),
            Field("days", "number", _("Days"), bounds=bounds, initial=7),
        ],
    )


def place_entry() -> Entry:
    levels = {name: _headed(COLUMNS[name][1]) for name in place.LEVELS}
    parts = [
        Field(name, "name", label, optional=name != "country", suggest="places", context=list(levels))
        for name, label in levels.items()
    ]
    return Entry(
        _("Place"),
        "location_on",
        [
            operators("in", _("lives in"), "not_in", _("lives outside of")),
            Field("place", "places", _("Places"), fields=parts, bounds=(1, place.MAX_PLACES)),
        ],
    )


def tag_entry() -> Entry:
    return Entry(
        _("Tag"),
        "sell",
        [
            operators("has", _("has the tag"), "has_not", _("has not the tag")),
            Field("tag", "reference", _("Tag"), suggest="tags"),
            Field("min_weight", "number", _("Weight of at least"), optional=True),
        ],
    )


def rfm_entry() -> Entry:
    return Entry(_("RFM"), "leaderboard", _statistic("rfm", _("Quintile")))


def stat_entry() -> Entry:
    return Entry(_("Statistic"), "query_stats", _statistic("stat", _("Statistic")))


def segment_entry() -> Entry:
    return Entry(
        _("Other segment"),
        "groups",
        [
            operators("in", _("is a member of"), "not_in", _("is not a member of")),
            Field("segment", "reference", _("Segment"), suggest="segments"),
        ],
    )


def consent_entry() -> Entry:
    channels = [Option(value, str(label)) for value, label in consent.CHANNEL.labels.items()]
    return Entry(
        _("Consent"),
        "verified_user",
        [
            operators("given", _("has agreed to"), "not_given", _("has not agreed to")),
            Field("consent", "reference", _("Purpose"), suggest="purposes"),
            Field("channel", "select", _("Channel"), options=channels, initial=Channel.EMAIL.value),
        ],
    )


def operators(first: str, first_label: str, second: str, second_label: str) -> Field:
    """The key `op` with one of two operators that stand for yes and no."""
    return Field("op", "select", options=[Option(first, first_label), Option(second, second_label)], initial=first)


def window() -> Field:
    """A window of time: rolling, absolute, or a period of the calendar."""
    periods = [Option(name, str(label)) for name, label in LABELS.items()]
    return Field("window", "window", _("When"), optional=True, units=["days", "hours"], options=periods)


def category() -> Field:
    """One or more categories of an event."""
    return Field("category", "names", _("Category"), optional=True, suggest="categories", context=["event"])


def where() -> Field:
    """Filters on the properties of an event."""
    parts = [
        Field("property", "name", _("Property"), suggest="properties", context=["event"]),
        Field("", "comparison", suggest="property_values", context=["event", "property"]),
    ]
    bounds = (1, properties.MAX_FILTERS)
    return Field("where", "comparisons", _("Properties"), optional=True, fields=parts, bounds=bounds)


def _statistic(kind: str, label: str) -> list[Field]:
    options = [Option(name, _headed(known.label), known.type) for name, known in STATISTICS[kind].items()]
    comparison = Field("", "comparison", typed_by=kind, initial={"op": "gte", "value": 1})
    return [Field(kind, "select", label, options=options), comparison]


def _headed(label: str | Promise) -> str:
    """A noun phrase as a heading."""
    text = str(label)
    return text[:1].upper() + text[1:]


register("attribute", attribute_entry)
register("event", event_entry)
register("sequence", sequence_entry)
register("tag", tag_entry)
register("rfm", rfm_entry)
register("stat", stat_entry)
register("anniversary", anniversary_entry)
register("place", place_entry)
register("segment", segment_entry)
register("consent", consent_entry)
