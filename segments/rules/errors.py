"""What is wrong with a rule tree, and where."""


class RuleError(ValueError):
    """A definition that cannot be used.

    `path` is the JSON Pointer (RFC 6901) of the faulty node, "" for the root; `reason` is a localised
    sentence.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path or '/'}: {reason}")
        self.path = path
        self.reason = reason


def below(path: str, step: str | int) -> str:
    """The JSON Pointer of the member `step` of the node at `path`."""
    return f"{path}/{str(step).replace('~', '~0').replace('/', '~1')}"
