from django.db import models
from django.utils.translation import gettext_lazy as _

from segments.models.profile import Profile


class IdentityKind(models.TextChoices):
    PHONE = "phone", _("Phone number")
    EMAIL = "email", _("E-mail address")
    WECHAT = "wechat", _("WeChat openid")
    DEVICE = "device", _("Device id")
    EXTERNAL = "external", _("Customer number of a source")


class Identity(models.Model):
    """Something by which a person is recognised or reached. Looked up by keyed digest, readable only when decrypted.

    For e-mail and phone the digest is the address digest of `compliance.addresses`, the same that suppressions use. For
    `external`, the source's key is part of what is digested.
    """

    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="identities", verbose_name=_("profile"))
    kind = models.CharField(_("kind"), max_length=12, choices=IdentityKind.choices)
    digest = models.BinaryField(_("digest"), max_length=32, editable=False)
    value_encrypted = models.BinaryField(_("value"), editable=False)
    is_primary = models.BooleanField(_("primary"), default=True, help_text=_("the one of its kind to write to"))
    created_at = models.DateTimeField(_("created at"), editable=False)

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = [
            models.UniqueConstraint(fields=["kind", "digest"], name="identity_unique"),
            models.UniqueConstraint(
                fields=["profile", "kind"],
                name="identity_one_primary_per_kind",
                condition=models.Q(is_primary=True) & ~models.Q(kind=IdentityKind.EXTERNAL),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {bytes(self.digest).hex()[:12]}"
