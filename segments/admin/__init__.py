from segments.admin import cleaning_rule, event, import_job, profile, quality, quarantine, segment, tag, value_types

__all__ = [
    "cleaning_rule",
    "event",
    "import_job",
    "profile",
    "quality",
    "quarantine",
    "segment",
    "tag",
    "value_types",
]
