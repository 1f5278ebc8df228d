"""JSON that staff edit as text."""

import json
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget


class PrettyEncoder(json.JSONEncoder):
    """One value a line, in the letters it was typed in."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2, "ensure_ascii": False})


def json_field(*, rows: int = 10, **options: Any) -> forms.JSONField:
    """A form field for JSON with room to write it."""
    attrs = {"rows": rows, "spellcheck": "false", "class": "font-mono"}
    return forms.JSONField(encoder=PrettyEncoder, widget=UnfoldAdminTextareaWidget(attrs=attrs), **options)
