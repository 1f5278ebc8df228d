class RuleError(ValueError):
    """A cleaning rule cannot be used; `field` names the part of it, such as `parameters.values`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
