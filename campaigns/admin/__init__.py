from campaigns.admin import campaign, delivery, run, sending_channel, template

__all__ = ["campaign", "delivery", "run", "sending_channel", "template"]
