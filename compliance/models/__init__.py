from compliance.models.api_client import ApiClient
from compliance.models.audit import AuditLeaf, Checkpoint, SealedLeaf
from compliance.models.consent import ConsentAction, ConsentMethod, ConsentRecord, ConsentState
from compliance.models.downstream import DownstreamSystem
from compliance.models.idempotency import IdempotencyRecord
from compliance.models.notice import Notice
from compliance.models.propagation import PropagationState, PropagationTask
from compliance.models.purpose import Purpose
from compliance.models.subject import Subject
from compliance.models.subject_request import RequestKind, RequestState, SubjectRequest
from compliance.models.suppression import Suppression, SuppressionReason

__all__ = [
    "ApiClient",
    "AuditLeaf",
    "Checkpoint",
    "ConsentAction",
    "ConsentMethod",
    "ConsentRecord",
    "ConsentState",
    "DownstreamSystem",
    "IdempotencyRecord",
    "Notice",
    "PropagationState",
    "PropagationTask",
    "Purpose",
    "RequestKind",
    "RequestState",
    "SealedLeaf",
    "Subject",
    "SubjectRequest",
    "Suppression",
    "SuppressionReason",
]
