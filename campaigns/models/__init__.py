from campaigns.models.batch import Batch
from campaigns.models.campaign import Campaign, CampaignKind
from campaigns.models.delivery import Delivery
from campaigns.models.frequency_cap import CapAction, CapClock, CapUnit, FrequencyCap
from campaigns.models.inbox_message import InboxMessage
from campaigns.models.run import Run
from campaigns.models.send_window import QuietHours, SendWindow, Weekday
from campaigns.models.sending_channel import SendingChannel
from campaigns.models.template import MessageTemplate

__all__ = [
    "Batch",
    "Campaign",
    "CampaignKind",
    "CapAction",
    "CapClock",
    "CapUnit",
    "Delivery",
    "FrequencyCap",
    "InboxMessage",
    "MessageTemplate",
    "QuietHours",
    "Run",
    "SendWindow",
    "SendingChannel",
    "Weekday",
]
