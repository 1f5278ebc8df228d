"""What beat wakes: sealing the audit log, writing down that consents have expired."""

from celery import shared_task
from django.utils import timezone

from compliance.actors import SYSTEM
from compliance.services import audit, consent


@shared_task
def seal_audit_log() -> None:
    audit.seal(now=timezone.now())


@shared_task
def expire_consents() -> None:
    while consent.expire_due(now=timezone.now(), actor=SYSTEM):
        pass
