"""The Celery application. It is the alarm clock: all pending work is rows in PostgreSQL."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from celery import Celery
from celery.signals import beat_init, worker_init

app = Celery("heed")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
@beat_init.connect
def _hold_services(**_kwargs: object) -> None:
    from config.services import hold_services

    hold_services()
