"""What a batch's messages are filled with: contact, attributes and unsubscribe link of each person."""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from campaigns import rendering
from campaigns.channels import Outgoing
from campaigns.services.batches import ClaimedBatch
from campaigns.services.groups import Claimed
from campaigns.states import DeliveryState
from compliance import addresses, tokens
from compliance.models import Subject
from compliance.vault import VaultError
from segments.address_kinds import ADDRESS_KINDS
from segments.models import Profile
from segments.selectors.profiles import Contact, names, names_and_addresses

PUBLIC_ID = "public_id"
STORED = [name for name in rendering.PROFILE_FIELDS if name != "name"]


class UnreadableError(Exception):
    """The person's address cannot be read, or is another than the gate was asked about."""


class People:
    """The people of a batch, loaded at once. Memory is bounded by the size of a batch."""

    def __init__(self, batch: ClaimedBatch) -> None:
        planned = batch.deliveries().filter(state=DeliveryState.PLANNED)
        ids = list(planned.values_list("profile_id", flat=True))
        content = batch.content
        self._batch = batch
        self._kind = ADDRESS_KINDS.get(batch.channel)
        self._contacts = _contacts(ids, self._kind) if self._kind else _public_ids(ids)
        self._rules = content.rules
        self._profiles = {row["pk"]: row for row in Profile.objects.filter(pk__in=ids).values("pk", *STORED)}
        self._template = rendering.compile_content(subject=content.subject, text=content.text, html=content.html)
        self._link = settings.BASE_URL + reverse("compliance:unsubscribe", args=["TOKEN"]).removesuffix("TOKEN")

    def message(self, claimed: Claimed, now: datetime) -> Outgoing:
        """The finished message of one person. Raises `UnreadableError`, `TemplateError`.

        The address was read apart from the claim, so it is compared with the one that the gate was asked about.
        """
        contact = self._contacts.get(claimed.profile_id)
        profile = self._profiles.get(claimed.profile_id)
        if contact is None or profile is None:
            raise UnreadableError
        # Without an address, the link names the person; nobody else's suppression can mean it.
        digest = addresses.digest(self._kind or PUBLIC_ID, contact.address)
        if self._kind and digest != claimed.digest:
            raise UnreadableError
        url = self._link + tokens.issue(
            tokens.Claim(
                subject_id=claimed.profile_id,
                purpose_id=self._batch.purpose_id,
                channel=self._batch.channel,
                digest=digest,
                reference=claimed.delivery_id,
            )
        )
        rendered = self._template.render(
            rendering.variables(
                profile={**profile, "name": contact.name},
                campaign_name=self._batch.content.campaign_name,
                unsubscribe_url=url,
            ),
            self._rules,
        )
        return Outgoing(
            key=f"{self._batch.run_uid.hex}.{claimed.profile_id}.{self._batch.step}",
            to_name=contact.name,
            to_address=contact.address,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            unsubscribe_url=url,
            date=now,
            profile_id=claimed.profile_id,
        )


def _public_ids(ids: Sequence[int]) -> dict[int, Contact]:
    """On a channel without addresses a person is named by public id."""
    found = names(ids)
    uids = Subject.objects.filter(pk__in=found).values_list("pk", "uid")
    return {pk: Contact(name=found[pk], address=str(uid)) for pk, uid in uids}


def _contacts(ids: Sequence[int], kind: str) -> dict[int, Contact]:
    try:
        return names_and_addresses(ids, kind)
    except VaultError:
        if len(ids) == 1:
            return {}
    # One damaged value must not keep a whole batch from being sent.
    return {pk: contact for one in ids for pk, contact in _contacts([one], kind).items()}
