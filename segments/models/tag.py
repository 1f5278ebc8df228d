from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import CrontabSchedule

from compliance.channels import Channel


class TagLayer(models.TextChoices):
    STATIC = "static", _("Static attribute")
    DYNAMIC = "dynamic", _("Dynamic behaviour")
    PREDICTIVE = "predictive", _("Predictive")


class TagKind(models.TextChoices):
    """Where a tag comes from."""

    GROUP = "group", _("Group of tags, carried by nobody")
    MANUAL = "manual", _("Given by hand")
    RULE = "rule", _("Rule tree")
    AGGREGATE = "aggregate", _("Figure over events")
    INTEREST = "interest", _("Decaying interest by category")
    IMPORT = "import", _("Import or API")
    MODEL = "model", _("Model")
    CATEGORY = "category", _("One category of its parent")


class Rhythm(models.TextChoices):
    """When a definition is computed for everybody (`segments.rhythms`)."""

    NEVER = "never", _("Not computed")
    AT_ONCE = "at_once", _("At once, and everybody daily before dawn")
    HOURLY = "hourly", _("Hourly")
    DAILY = "daily", _("Daily before dawn")
    WEEKLY = "weekly", _("Weekly, Monday before dawn")
    MONTHLY = "monthly", _("Monthly, on the first before dawn")
    CRONTAB = "crontab", _("By a crontab")


class Measure(models.TextChoices):
    """What an aggregate makes of somebody's events."""

    COUNT = "count", _("Number of events")
    OCCASIONS = "occasions", _("Number of occasions (events at one instant count once)")
    SUM = "sum", _("Total amount")


class Output(models.TextChoices):
    """What becomes of an aggregate's figure."""

    WEIGHT = "weight", _("The weight of this tag")
    TOP_CATEGORY = "top_category", _("The tag of the category with the highest figure")
    EACH_CATEGORY = "each_category", _("The weight of a tag for each category")


class TagQuerySet(models.QuerySet["Tag"]):
    def in_tree_order(self) -> "TagQuerySet":
        """Each tag after its parent, siblings by position and key."""
        return self.order_by("path", "key")

    def units(self) -> "TagQuerySet":
        """The definitions that are computed as a whole: a rule of an exclusive group is part of its group."""
        computed = Q(kind__in=[TagKind.AGGREGATE, TagKind.INTEREST]) | Q(kind=TagKind.GROUP, is_exclusive=True)
        alone = Q(kind=TagKind.RULE) & (Q(parent__isnull=True) | Q(parent__is_exclusive=False))
        return self.filter(computed | alone)


class Tag(models.Model):
    """The definition of a tag; definitions form a tree.

    A tag is computed from a rule tree (`rule`), from events (`event_name`, `measure`, `output`, within `window_days`),
    as an interest that decays with `half_life_days` (`TagGain`), or comes from outside: by hand, import or model. The
    tags of an exclusive group are alternatives: a person carries one at most, computed ones by the first rule that
    matches, in the order of `position`. `services.tags` writes; `due_at` is when the definition is next computed.
    """

    key = models.SlugField(_("key"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    layer = models.CharField(_("layer"), max_length=12, choices=TagLayer.choices)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children", verbose_name=_("parent")
    )
    description = models.TextField(_("description"), blank=True)
    kind = models.CharField(_("comes from"), max_length=12, choices=TagKind.choices, default=TagKind.MANUAL)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("An inactive definition is not computed; its tags stay as they are.")
    )
    position = models.PositiveSmallIntegerField(
        _("position"), default=0, help_text=_("Order among siblings; in an exclusive group the first rule wins.")
    )
    path = models.CharField(max_length=300, default="", editable=False, db_collation="C")

    is_exclusive = models.BooleanField(
        _("exclusive"), default=False, help_text=_("A person carries at most one tag of this group.")
    )
    rule = models.JSONField(
        _("rule tree"), null=True, blank=True,
        help_text=_('As in segments; {"parameter": "name"} stands for a parameter of the tag or of its group.'),
    )  # fmt: skip
    event_name = models.CharField(_("event"), max_length=64, blank=True)
    measure = models.CharField(_("measure"), max_length=12, choices=Measure.choices, blank=True)
    output = models.CharField(_("gives"), max_length=16, choices=Output.choices, blank=True)
    minimum = models.DecimalField(
        _("from this figure on"), max_digits=12, decimal_places=2, default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.01"))],
    )  # fmt: skip
    window_days = models.PositiveIntegerField(
        _("window in days"), null=True, blank=True, validators=[MinValueValidator(1)], help_text=_("empty: all time")
    )
    half_life_days = models.FloatField(
        _("half-life in days"), null=True, blank=True, validators=[MinValueValidator(0.01)]
    )
    floor = models.FloatField(
        _("floor"), null=True, blank=True, validators=[MinValueValidator(0.0001)],
        help_text=_("The tag is gone once its weight, without boosts, has faded below this."),
    )  # fmt: skip
    category = models.CharField(_("category"), max_length=80, blank=True, editable=False)
    given_weight = models.FloatField(_("weight"), default=1.0, validators=[MinValueValidator(0.001)])
    given_confidence = models.DecimalField(_("confidence"), max_digits=4, decimal_places=3, default=Decimal(1))
    expires_after_days = models.PositiveIntegerField(
        _("expires after days"), null=True, blank=True, validators=[MinValueValidator(1)],
        help_text=_("Days after the tag was given, or after a computation last confirmed it."),
    )  # fmt: skip

    rhythm = models.CharField(_("update rhythm"), max_length=8, choices=Rhythm.choices, default=Rhythm.NEVER)
    crontab = models.ForeignKey(
        CrontabSchedule, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("crontab")
    )
    due_at = models.DateTimeField(_("due at"), null=True, blank=True, editable=False)
    started_at = models.DateTimeField(_("running since"), null=True, editable=False)
    computed_at = models.DateTimeField(_("computed at"), null=True, editable=False)
    clock_at = models.DateTimeField(_("clock followed until"), null=True, editable=False)
    error = models.TextField(_("last error"), blank=True, editable=False)
    people = models.PositiveIntegerField(_("people"), default=0, editable=False)

    advice_content = models.TextField(
        _("content advice"), blank=True, help_text=_("What to say to people with this tag; empty: as the parent says.")
    )
    advice_per_week = models.PositiveSmallIntegerField(
        _("messages a week at most"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    advice_channel = models.CharField(_("channel advice"), max_length=12, choices=Channel.choices, blank=True)

    objects = TagQuerySet.as_manager()

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["key"]
        indexes = [models.Index(fields=["due_at"], name="tag_due", condition=Q(due_at__isnull=False))]
        constraints = [
            models.CheckConstraint(
                name="tag_not_its_own_parent",
                condition=Q(parent__isnull=True) | ~Q(parent=models.F("id")),
            ),
            models.UniqueConstraint(
                fields=["parent", "category"], name="tag_one_per_category", condition=Q(kind="category")
            ),
            models.CheckConstraint(
                name="tag_of_category_has_parent_and_category",
                condition=~Q(kind="category") | (Q(parent__isnull=False) & ~Q(category="")),
            ),
            models.CheckConstraint(
                name="tag_rule_if_computed_by_rule",
                condition=Q(kind="rule", rule__isnull=False) | (~Q(kind="rule") & Q(rule__isnull=True)),
            ),
            models.CheckConstraint(
                name="tag_aggregate_says_what",
                condition=~Q(kind="aggregate") | ~(Q(event_name="") | Q(measure="") | Q(output="")),
            ),
            models.CheckConstraint(
                name="tag_interest_decays",
                condition=~Q(kind="interest") | Q(half_life_days__isnull=False, floor__isnull=False),
            ),
            models.CheckConstraint(
                name="tag_half_life_and_floor_positive",
                condition=(Q(half_life_days__isnull=True) | Q(half_life_days__gt=0, half_life_days__lte=1e6))
                & (Q(floor__isnull=True) | Q(floor__gt=0, floor__lte=1e6)),
            ),
            models.CheckConstraint(
                name="tag_exclusive_if_group_or_top_category",
                condition=(Q(kind="aggregate", output="top_category", is_exclusive=True))
                | Q(kind="group")
                | (Q(is_exclusive=False) & ~Q(kind="aggregate", output="top_category")),
            ),
            models.CheckConstraint(
                name="tag_crontab_if_rhythm_is_crontab",
                condition=Q(rhythm="crontab", crontab__isnull=False) | (~Q(rhythm="crontab") & Q(crontab__isnull=True)),
            ),
            models.CheckConstraint(
                name="tag_given_figures_in_range",
                condition=Q(given_weight__gt=0, given_weight__lte=1e12, given_confidence__range=(0, 1), minimum__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return self.name
