from compliance.admin import api_client, audit, consent, notice, propagation, suppression

__all__ = ["api_client", "audit", "consent", "notice", "propagation", "suppression"]
