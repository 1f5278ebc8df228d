from campaigns.admin import campaign, delivery, frequency_cap, run, sending_channel, template

__all__ = ["campaign", "delivery", "frequency_cap", "run", "sending_channel", "template"]
