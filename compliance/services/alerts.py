"""Telling staff what cannot wait: by mail to the addresses in the setting ALERT_ADDRESSES, and in the log."""

import logging
from collections.abc import Sequence

from django.conf import settings
from django.core.mail import send_mail
from django.utils.translation import gettext as _

from compliance.models import PropagationTask, SubjectRequest

logger = logging.getLogger(__name__)


def propagation_is_late(tasks: Sequence[PropagationTask]) -> None:
    """Downstream systems that have not acknowledged with less than a day left."""
    if not tasks:
        return
    names = ", ".join(sorted({task.system.name for task in tasks}))
    first = min(task.deadline_at for task in tasks)
    logger.error("%s decisions not acknowledged by %s, the first deadline is %s", len(tasks), names, first.isoformat())
    text = _(
        "%(count)s decisions of people have not been acknowledged by: %(systems)s. "
        "The first deadline is %(deadline)s (UTC)."
    )
    values = {"count": len(tasks), "systems": names, "deadline": f"{first:%Y-%m-%d %H:%M}"}
    page = "compliance/propagationtask/?open=overdue"
    _mail(_("Withdrawals are about to miss their deadline"), text % values, page)


def requests_are_due(requests: Sequence[SubjectRequest]) -> None:
    """Requests of people that have a week or less left."""
    if not requests:
        return
    first = min(request.due_at for request in requests)
    logger.error("%s requests of people are open, the first answer is due %s", len(requests), first.isoformat())
    text = _("%(count)s requests of people are open with a week or less left. The first answer is due on %(deadline)s.")
    values = {"count": len(requests), "deadline": f"{first:%Y-%m-%d}"}
    _mail(_("Requests of people are about to be late"), text % values, "compliance/subjectrequest/?state__exact=open")


def _mail(subject: str, text: str, page: str) -> None:
    if settings.ALERT_ADDRESSES:
        body = f"{text}\n{settings.BASE_URL}/admin/{page}"
        send_mail(subject, body, settings.DEFAULT_FROM_EMAIL, settings.ALERT_ADDRESSES)
