"""The demonstration: Heed's main job on a year of purchases of 2,469 real, anonymous households.

`data` prepares the files, `consents` the synthetic consent history, `plans` the segments and campaigns, `sink` receives
the mail, and `story` tells it all in order. Whatever is not in the data set is synthetic and labelled so.
"""
