"""Simplified Chinese is complete, and the compiled catalogue is that of the source beside it."""

import gettext
from pathlib import Path

from babel.messages.pofile import read_po

FOLDER = Path(__file__).parents[2] / "config" / "locale" / "zh_Hans" / "LC_MESSAGES"


def test_every_text_is_translated() -> None:
    with (FOLDER / "django.po").open("rb") as file:
        catalogue = read_po(file, locale="zh_Hans")
    missing = [message.id for message in catalogue if message.id and not (message.string and all(message.string))]
    assert len(catalogue) > 100
    assert missing == []
    assert [message.id for message in catalogue if message.fuzzy and message.id] == []


def test_compiled_catalogue_is_current() -> None:
    with (FOLDER / "django.po").open("rb") as file:
        catalogue = read_po(file, locale="zh_Hans")
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for message in catalogue:
        if not message.id:
            continue
        singular = message.id[0] if isinstance(message.id, tuple) else message.id
        translated = message.string[0] if isinstance(message.string, tuple) else message.string
        found = (
            compiled.npgettext(message.context, *message.id, 1)
            if message.context and isinstance(message.id, tuple)
            else compiled.pgettext(message.context, singular)
            if message.context
            else compiled.ngettext(*message.id, 1)
            if isinstance(message.id, tuple)
            else compiled.gettext(singular)
        )
        assert found == translated, singular
