from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Campaigns")

    def ready(self) -> None:
        from campaigns import conditions
        from campaigns.selectors import segment_users
        from campaigns.services import holdings as mine
        from compliance import holdings
        from segments import rules
        from segments.rules import catalogue
        from segments.selectors import segment_usage, suggestions

        holdings.register(holdings.Holding("messages", mine.deliveries, mine.erase_deliveries))
        holdings.register(holdings.Holding("inbox", mine.inbox_messages, mine.erase_inbox))
        segment_usage.register(segment_users.users_of)
        rules.register("delivery", conditions.parse)
        catalogue.register("delivery", conditions.entry)
        suggestions.register("campaigns", suggestions.Source("campaigns.view_campaign", conditions.campaigns))
