"""The fields that rules may clean, and what kind of value each holds. Pure."""

from django.utils.translation import gettext as _

from segments import event_input, profile_input
from segments.cleaning.errors import RuleError
from segments.profile_input import ATTRIBUTE_KEY, IDENTIFIERS

EVENTS, PROFILES = "events", "profiles"
TEXT, NUMBER, DAY, ANY = "text", "number", "day", "any"
EVENT_KINDS = {**dict.fromkeys(IDENTIFIERS, TEXT), "amount": NUMBER, "currency": TEXT, "category": TEXT}
PROFILE_KINDS = {**dict.fromkeys(profile_input.FIELDS, TEXT), "birth_date": DAY}
KINDS = {EVENTS: EVENT_KINDS, PROFILES: PROFILE_KINDS}
OPEN = {EVENTS: "properties", PROFILES: "attributes"}
MAX_NAME = 64


def kind_of(target: str, field: str, *, named: str = "field") -> str:
    """`text`, `number`, `day`, or `any` for properties and attributes. Raises `RuleError` about `named`."""
    kinds, prefix = KINDS[target], f"{OPEN[target]}."
    if field.startswith(prefix):
        _check_open_name(target, field.removeprefix(prefix), named)
        return ANY
    if field not in kinds:
        known = ", ".join([*kinds, f"{prefix}NAME"])
        raise RuleError(named, _("“%(field)s” is none of %(known)s.") % {"field": field, "known": known})
    return kinds[field]


def check_event_name(name: str) -> None:
    """Raises `RuleError` when no event can be called this."""
    if not event_input.NAME.fullmatch(name):
        raise RuleError("event_names", _("“%(name)s” is no event name such as add_to_cart.") % {"name": name})


def _check_open_name(target: str, name: str, named: str) -> None:
    if target == PROFILES and not ATTRIBUTE_KEY.fullmatch(name):
        raise RuleError(named, _("Name an attribute with letters, digits and underscores."))
    if not name or len(name) > MAX_NAME:
        raise RuleError(named, _("Give a property a name of 1 to %(limit)s characters.") % {"limit": MAX_NAME})
