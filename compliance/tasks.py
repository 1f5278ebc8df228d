"""What beat wakes: sealing the audit log, writing down that consents have expired, telling downstream systems."""

from celery import shared_task
from django.utils import timezone

from compliance.actors import SYSTEM
from compliance.services import alerts, audit, consent, propagation, subject_requests, webhook_sending

PARCELS = 200


@shared_task
def seal_audit_log() -> None:
    audit.seal(now=timezone.now())


@shared_task
def expire_consents() -> None:
    while consent.expire_due(now=timezone.now(), actor=SYSTEM):
        pass


@shared_task
def tell_downstream_systems() -> None:
    while parcels := propagation.claim(now=timezone.now(), limit=PARCELS):
        outcomes = webhook_sending.send_all(parcels, clock=timezone.now)
        propagation.record(outcomes=outcomes, now=timezone.now())


@shared_task
def escalate_propagation() -> None:
    tasks = propagation.about_to_be_late(now=timezone.now())
    alerts.propagation_is_late(tasks)  # before they are marked: an alert that fails is tried again
    propagation.escalated(tasks=tasks, now=timezone.now())


@shared_task
def warn_of_requests() -> None:
    alerts.requests_are_due(list(subject_requests.due_soon(now=timezone.now())))
