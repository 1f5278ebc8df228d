from django.db import models
from django.utils.translation import gettext_lazy as _


class EventType(models.Model):
    """What events of one name say: the type of each property, and which ones must be there.

    Without one, properties of any type are taken. Properties that are not named here are kept as they come.
    """

    name = models.CharField(_("event name"), max_length=64, unique=True)
    description = models.TextField(_("description"), blank=True)
    properties = models.JSONField(_("properties"), default=dict, blank=True)

    class Meta:
        verbose_name = _("event type")
        verbose_name_plural = _("event types")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="event_type_name_is_plain", condition=models.Q(name__regex=r"^[a-z][a-z0-9_]{0,63}$")
            ),
        ]

    def __str__(self) -> str:
        return self.name
