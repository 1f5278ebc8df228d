from segments.admin import customer_base, event, import_job, profile, segment, tag

__all__ = ["customer_base", "event", "import_job", "profile", "segment", "tag"]
