from django.db import models
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext_lazy as _

from compliance.models.append_only import APPEND_ONLY


class AuditLeaf(models.Model):
    """One entry of the audit log: canonical JSON (RFC 8785), written in the transaction of the change it tells of.

    `data` is what is hashed and exported. The other columns repeat parts of it for searching. Personal data never
    stands in a leaf; it appears as a salted commitment at most.
    """

    data = models.BinaryField(_("data"), editable=False)
    leaf_hash = models.GeneratedField(  # RFC 9162, section 2.1.1: SHA-256(0x00 || data)
        expression=RawSQL(r"sha256('\x00'::bytea || data)", ()),
        output_field=models.BinaryField(max_length=32),
        db_persist=True,
    )
    action = models.CharField(_("action"), max_length=64, editable=False)
    actor = models.CharField(_("actor"), max_length=200, editable=False)
    object_type = models.CharField(_("object type"), max_length=64, editable=False)
    object_id = models.CharField(_("object id"), max_length=64, editable=False)
    recorded_at = models.DateTimeField(_("recorded at"), editable=False)

    class Meta:
        verbose_name = _("audit leaf")
        verbose_name_plural = _("audit log")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["object_type", "object_id"], name="audit_leaf_object"),
            models.Index(fields=["recorded_at"], name="audit_leaf_time"),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"


class SealedLeaf(models.Model):
    """The place of a leaf in the Merkle tree: total and gap-free, given once the leaf's transaction has committed."""

    index = models.BigIntegerField(_("index in the tree"), primary_key=True)
    leaf = models.OneToOneField(AuditLeaf, on_delete=models.PROTECT, related_name="sealed")

    class Meta:
        verbose_name = _("sealed leaf")
        verbose_name_plural = _("sealed leaves")
        constraints = [
            models.CheckConstraint(name="sealed_leaf_index_from_zero", condition=models.Q(index__gte=0)),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return str(self.index)


class Checkpoint(models.Model):
    """A signed statement that the log had this size and root (C2SP tlog-checkpoint text form, Ed25519)."""

    tree_size = models.BigIntegerField(_("tree size"))
    root_hash = models.BinaryField(_("root hash"), max_length=32, editable=False)
    peaks = models.BinaryField(
        _("right edge of the tree"),
        editable=False,
        help_text=_("roots of the full subtrees; sealing goes on from here"),
    )
    note = models.TextField(_("signed note"), editable=False)
    created_at = models.DateTimeField(_("created at"), editable=False)

    class Meta:
        verbose_name = _("checkpoint")
        verbose_name_plural = _("checkpoints")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="checkpoint_size_not_negative", condition=models.Q(tree_size__gte=0)),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.tree_size}: {bytes(self.root_hash).hex()[:12]}"
