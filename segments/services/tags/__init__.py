"""Tags: what they mean, who carries them, and how both follow events and the clock.

`definitions` changes what tags mean, `computing` works off what is due, `following` does at once what a touch or the
clock asks for, `interests` adds events to decaying interests, `assignment` gives and removes by hand, import and model,
`boosts` raises weights for a time, `ready_made` brings the definitions that ship with Heed.
"""

from segments.services.tags.computing import compute, compute_due, recount
from segments.services.tags.following import fall_due, follow, follow_clock
from segments.services.tags.ready_made import ensure_ready_made

__all__ = ["compute", "compute_due", "ensure_ready_made", "fall_due", "follow", "follow_clock", "recount"]
