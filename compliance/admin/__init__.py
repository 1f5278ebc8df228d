from compliance.admin import api_client, audit, consent, notice, suppression

__all__ = ["api_client", "audit", "consent", "notice", "suppression"]
