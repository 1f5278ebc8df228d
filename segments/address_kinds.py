"""Which identifier of a person is their address on a channel. A channel without one (in-app, webhook) is missing."""

from compliance.channels import Channel
from segments.models import IdentityKind

ADDRESS_KINDS: dict[str, str] = {
    Channel.EMAIL: IdentityKind.EMAIL,
    Channel.SMS: IdentityKind.PHONE,
    Channel.WECHAT: IdentityKind.WECHAT,
    Channel.PUSH: IdentityKind.DEVICE,
}
