from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.adapters import Adapter
from compliance.channels import Channel


class SendingChannel(models.Model):
    """A way out: which kind of channel, by which adapter, under whose name, how many messages a worker takes at once.

    `config` holds what the adapter is told besides its credential (`campaigns.channels`). The credential is encrypted
    (`campaigns.credentials`). The last three columns tell how it fares; workers write them once a batch.
    """

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=12, choices=Channel.choices, default=Channel.EMAIL)
    adapter = models.CharField(_("way out"), max_length=12, choices=Adapter.choices, default=Adapter.MAIL)
    from_name = models.CharField(_("sender name"), max_length=120, blank=True)
    from_address = models.EmailField(_("sender address"), blank=True)
    config = models.JSONField(_("settings"), default=dict, blank=True)
    credential_encrypted = models.BinaryField(_("credential"), null=True, editable=False)
    max_length = models.PositiveIntegerField(
        _("longest message"), null=True, blank=True, validators=[MinValueValidator(1)],
        help_text=_("characters, the opt-out text included; empty for the custom of the kind: SMS 30, app push 50"),
    )  # fmt: skip
    optout_text = models.CharField(
        _("opt-out text"), max_length=60, blank=True,
        help_text=_("put behind each SMS, and counted; for example 拒收请回复R"),
    )  # fmt: skip
    batch_size = models.PositiveIntegerField(
        _("batch size"), default=100, validators=[MinValueValidator(1), MaxValueValidator(5000)]
    )
    is_active = models.BooleanField(_("active"), default=True)
    last_success_at = models.DateTimeField(_("last success"), null=True, editable=False)
    last_error_at = models.DateTimeField(_("time of the last error"), null=True, editable=False)
    last_error = models.CharField(_("last error"), max_length=240, blank=True, editable=False)

    class Meta:
        verbose_name = _("sending channel")
        verbose_name_plural = _("sending channels")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.name
