"""What is said: one newsletter, in words that Liquid and Django's template language read alike."""

from datetime import datetime

from campaigns.models import Run, SendingChannel
from campaigns.services import runs
from segments.models import Segment
from tests.factories.campaigns import MessageTemplateFactory, SendingChannelFactory, make_approved_campaign

SUBJECT = '{{ profile.name|default:"Dear customer" }}, our offers for {{ profile.city }}'
TEXT = """\
Dear {{ profile.name|default:"customer" }},

{% if profile.attributes.level >= 3 %}As a member of level {{ profile.attributes.level }} you come first.{% else %}\
These are the offers of the week in {{ profile.city }}.{% endif %}
See all of them: https://shop.example.com/offers

You get this mail because you asked for it. Stop these mails: {{ unsubscribe_url }}
"""
OFFER = """\
<tr><td class="offer"><h2>Green tea, harvest {number}</h2><p class="words">Picked by hand in the hills above the lake, \
dried the same day and sent to {{{{ profile.city }}}} within the week.</p>
<a class="button" href="https://shop.example.com/offers/{number}">See it</a></td></tr>
"""
HTML = (
    """\
<html><head><style>h1, h2 { font-family: serif; color: #1f5130 } .offer { padding: 12px; border: 1px solid #d0d0d0 }
.words { font-size: 14px; line-height: 20px } .button { background: #1f5130; color: #ffffff }</style></head>
<body><h1>Dear {{ profile.name|default:"customer" }}</h1>
<p class="words">{% if profile.attributes.level >= 3 %}As a member of level {{ profile.attributes.level }} you come \
first.{% else %}These are the offers of the week.{% endif %}</p><table>
"""
    + "".join(OFFER.format(number=number) for number in range(1, 7))
    + """\
</table><p class="words"><a href="{{ unsubscribe_url }}">Stop these mails</a></p></body></html>
"""
)


def make_channel(*, key: str, batch_size: int) -> SendingChannel:
    """A way out that is switched off, so that nothing leaves before the clock runs."""
    channel: SendingChannel = SendingChannelFactory(key=key, batch_size=batch_size, is_active=False)
    return channel


def launch(listed: Segment, *, at: datetime, channel: SendingChannel | None = None) -> Run:
    """The run of a new, approved campaign to a list, to be planned."""
    template = MessageTemplateFactory(subject=SUBJECT, text=TEXT, html=HTML)
    campaign = make_approved_campaign(
        segment=listed, template=template, channel=channel or SendingChannelFactory(batch_size=500), scheduled_at=at
    )
    runs.launch_due(now=at, actor="benchmark")
    return Run.objects.get(campaign=campaign)
