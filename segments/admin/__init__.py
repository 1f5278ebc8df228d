from segments.admin import customer_base, event, import_job, profile, segment, source, tag, tag_boost, tag_exclusion

__all__ = [
    "customer_base", "event", "import_job", "profile", "segment", "source", "tag", "tag_boost", "tag_exclusion",
]  # fmt: skip
