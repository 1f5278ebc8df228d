"""How a form offers the condition on messages received, and which campaigns it suggests."""

from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.conditions import ANY
from campaigns.models import Campaign
from segments.rules.catalogue import Entry, Field
from segments.rules.catalogue_entries import operators, window
from segments.selectors.suggestions import LIMIT, Source, Suggestion, Wanted


def delivery_entry() -> Entry:
    """A campaign, whether its message was received, and when."""
    return Entry(
        _("Message received"),
        "outgoing_mail",
        [
            operators("received", _("got a message of"), "not_received", _("did not get a message of")),
            Field("delivery", "reference", _("Campaign"), suggest="campaigns", initial=ANY),
            window(),
        ],
    )


def _campaigns(wanted: Wanted) -> list[Suggestion]:
    named = Q(key__icontains=wanted.term) | Q(name__icontains=wanted.term)
    rows = Campaign.objects.filter(named).order_by("-pk").values_list("key", "name")
    return [Suggestion(ANY, _("any campaign")), *(Suggestion(key, name) for key, name in rows[: LIMIT - 1])]


CAMPAIGNS = Source("campaigns.view_campaign", _campaigns)
