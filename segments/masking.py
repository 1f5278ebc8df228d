"""Names and addresses as they are shown to those whose role does not need them in full. Pure."""


def mask_name(name: str) -> str:
    """The first character of a name; nothing of an empty one."""
    return f"{name[0]}***" if name else ""


def mask_address(kind: str, value: str) -> str:
    """Enough to tell two addresses of a person apart, too little to use them."""
    if kind == "email":
        local, _, domain = value.partition("@")
        return f"{local[:1]}***@{domain}"
    if kind == "phone":
        return f"{value[:3]}***{value[-2:]}"
    return f"{value[:2]}***"
