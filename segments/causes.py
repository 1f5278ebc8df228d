"""The words for what changed about a person, as `Touch.cause` and `Dependencies.causes` use them. Pure."""


def event(name: str) -> str:
    """Something of this name happened."""
    return f"event:{name}"


def attribute(name: str) -> str:
    """A column of the profile, or `attributes.<key>`, has another value."""
    return f"attribute:{name}"


def tag(key: str) -> str:
    """The tag was given, taken or weighed anew."""
    return f"tag:{key}"


def segment(key: str) -> str:
    """The person entered or left the segment."""
    return f"segment:{key}"


RFM = "rfm"
CONSENT = "consent"
DELIVERY = "delivery"
IDENTITY = "identity"
"""A merge or its undoing: everything about the person may be different."""

# What the history of a segment knows besides: nothing about the person changed.
CLOCK = "clock"
"""Time alone moved the person: a window ended, a day came."""
REFRESH = "refresh"
"""Found when everybody was asked about, as somebody wished."""
DEFINITION = "definition"
"""The rule is new, or another than before."""
SNAPSHOT = "snapshot"
UPLOAD = "upload"
MERGE = "merge"
"""As the history names a merge or its undoing."""


def in_history(cause: str) -> str:
    """The cause of a touch as the history of a segment names it."""
    return MERGE if cause == IDENTITY else cause
