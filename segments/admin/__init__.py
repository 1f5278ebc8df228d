from segments.admin import event, import_job, profile, segment, tag

__all__ = ["event", "import_job", "profile", "segment", "tag"]
