"""The channels on which a person can be reached, the unit that consent and suppression are given for."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Channel(models.TextChoices):
    EMAIL = "email", _("E-mail")
    SMS = "sms", _("SMS")
    PUSH = "push", _("App push")
    WECHAT = "wechat", _("WeChat")
    INAPP = "inapp", _("In-app message")
    WEBHOOK = "webhook", _("Webhook")
