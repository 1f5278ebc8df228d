from compliance.admin import api_client, audit, consent, notice, propagation, subject_request, suppression

__all__ = ["api_client", "audit", "consent", "notice", "propagation", "subject_request", "suppression"]
