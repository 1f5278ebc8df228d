"""What of campaigns asks for a segment."""

from django.utils.translation import gettext as _

from campaigns.models import Campaign, FrequencyCap
from campaigns.states import CampaignState
from segments.models import Segment
from segments.selectors.segment_usage import SegmentUser

LIVE = (CampaignState.SUBMITTED, CampaignState.APPROVED, CampaignState.RUNNING)


def users_of(segment: Segment) -> list[SegmentUser]:
    """Campaigns that wait for approval, are approved or run, and caps that count."""
    campaigns = Campaign.objects.filter(segment=segment, state__in=LIVE).order_by("pk")
    caps = FrequencyCap.objects.filter(segment=segment, is_active=True).order_by("pk")
    found = [SegmentUser(_("campaign"), campaign.name) for campaign in campaigns]
    return found + [SegmentUser(_("frequency cap"), cap.name) for cap in caps]
