"""Telling staff what cannot wait: by mail to the addresses in the setting ALERT_ADDRESSES, and in the log."""

import logging
from collections.abc import Sequence

from django.conf import settings
from django.core.mail import send_mail
from django.utils.translation import gettext as _

from compliance.models import PropagationTask

logger = logging.getLogger(__name__)


def propagation_is_late(tasks: Sequence[PropagationTask]) -> None:
    """Downstream systems that have not acknowledged with less than a day left."""
    if not tasks:
        return
    names = ", ".join(sorted({task.system.name for task in tasks}))
    first = min(task.deadline_at for task in tasks)
    logger.error("%s decisions not acknowledged by %s, the first deadline is %s", len(tasks), names, first.isoformat())
    if settings.ALERT_ADDRESSES:
        text = _(
            "%(count)s decisions of people have not been acknowledged by: %(systems)s. "
            "The first deadline is %(deadline)s (UTC)."
        )
        values = {"count": len(tasks), "systems": names, "deadline": f"{first:%Y-%m-%d %H:%M}"}
        link = f"{settings.BASE_URL}/admin/compliance/propagationtask/?open=overdue"
        send_mail(
            _("Withdrawals are about to miss their deadline"), f"{text % values}\n{link}", settings.DEFAULT_FROM_EMAIL,
            settings.ALERT_ADDRESSES,
        )  # fmt: skip
