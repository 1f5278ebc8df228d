from segments.admin import event, import_job, profile, segment, source, tag, tag_boost, tag_exclusion

__all__ = ["event", "import_job", "profile", "segment", "source", "tag", "tag_boost", "tag_exclusion"]
