from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SegmentsConfig(AppConfig):
    name = "segments"
    verbose_name = _("Segments")

    def ready(self) -> None:
        import segments.rules.catalogue_entries  # noqa: F401  (registers the forms of conditions)
        from compliance.holdings import Holding, register
        from segments.services import holdings as mine

        register(Holding("profile", mine.profile, mine.erase_profile))
        register(Holding("identifiers", mine.identifiers))
        register(Holding("merges", mine.merges))
        register(Holding("tags", mine.tags))
        register(Holding("segments", mine.memberships))
        register(Holding("segment_history", mine.segment_history, mine.erase_segment_history))
        register(Holding("events", mine.events, mine.erase_events))
        register(Holding("quarantine", mine.quarantined_events, mine.erase_quarantined_events))
