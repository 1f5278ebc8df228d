from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.channels import Channel


class SendingChannel(models.Model):
    """A way out: which kind of channel, under whose name, how many messages a worker takes at once."""

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=12, choices=Channel.choices, default=Channel.EMAIL)
    from_name = models.CharField(_("sender name"), max_length=120, blank=True)
    from_address = models.EmailField(_("sender address"))
    batch_size = models.PositiveIntegerField(
        _("batch size"), default=100, validators=[MinValueValidator(1), MaxValueValidator(5000)]
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("sending channel")
        verbose_name_plural = _("sending channels")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.name
