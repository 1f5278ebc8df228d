from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractApplication


class ApiClient(AbstractApplication):
    """A partner system on the API. It gets tokens for its own scopes only, with a secret that is stored hashed."""

    scopes = ArrayField(models.CharField(max_length=64), verbose_name=_("scopes"), default=list)

    class Meta(AbstractApplication.Meta):
        verbose_name = _("API client")
        verbose_name_plural = _("API clients")
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(
                name="api_client_uses_client_credentials",
                condition=models.Q(authorization_grant_type="client-credentials", client_type="confidential"),
            ),
            models.CheckConstraint(
                name="api_client_secret_is_hashed",
                condition=models.Q(hash_client_secret=True) & ~models.Q(client_secret=""),
            ),
            # It is the name of an actor in ledgers and audit leaves.
            models.CheckConstraint(
                name="api_client_id_is_plain", condition=models.Q(client_id__regex=r"^[A-Za-z0-9._-]{1,100}$")
            ),
        ]

    def __str__(self) -> str:
        return str(self.name or self.client_id)
