from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ComplianceConfig(AppConfig):
    name = "compliance"
    verbose_name = _("Compliance")

    def ready(self) -> None:
        from compliance.holdings import Holding, register
        from compliance.selectors import holdings as mine

        register(Holding("consents", mine.consents))
        register(Holding("requests", mine.requests))
