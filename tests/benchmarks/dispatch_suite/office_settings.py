"""Heed's settings with django-post-office beside it, for the process that measures it and for nothing else."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as HEED_APPS

INSTALLED_APPS = [*HEED_APPS, "post_office"]
# Larger batches than its 100, for with each batch it starts its processes anew; it logs what failed, as Heed does.
POST_OFFICE = {
    "BATCH_SIZE": 5_000,
    "LOG_LEVEL": 1,
    "BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"},
}
