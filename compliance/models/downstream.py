from django.core.validators import URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.models.api_client import ApiClient


class DownstreamSystem(models.Model):
    """A system outside Heed that acts on consent, and therefore has to learn of each withdrawal.

    It is told by a signed webhook at `url`, or asks for itself over the API as `client`; it may do both.
    """

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    url = models.CharField(
        _("webhook address"), max_length=400, blank=True, validators=[URLValidator(schemes=["http", "https"])],
        help_text=_("where signed webhooks are sent; empty for a system that asks for itself"),
    )  # fmt: skip
    secret_encrypted = models.BinaryField(_("secret"), editable=False)
    client = models.OneToOneField(
        ApiClient, null=True, blank=True, on_delete=models.PROTECT, related_name="downstream_system",
        verbose_name=_("API client"), help_text=_("with which it asks for changes and acknowledges them"),
    )  # fmt: skip
    wants_consents = models.BooleanField(
        _("also new consents"), default=False, help_text=_("tell it of each yes too, not only of what ends")
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"), editable=False)

    class Meta:
        verbose_name = _("downstream system")
        verbose_name_plural = _("downstream systems")
        ordering = ["key"]
        constraints = [
            models.CheckConstraint(
                name="downstream_can_be_reached",
                condition=~models.Q(url="") | models.Q(client__isnull=False),
                violation_error_message=_("Give a webhook address, an API client, or both."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
