from campaigns.admin import campaign, delivery, frequency_cap, run, send_window, sending_channel, template

__all__ = ["campaign", "delivery", "frequency_cap", "run", "send_window", "sending_channel", "template"]
