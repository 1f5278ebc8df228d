from segments.admin import customer_base, event, import_job, join_review, merge, profile, segment, tag

__all__ = ["customer_base", "event", "import_job", "join_review", "merge", "profile", "segment", "tag"]
