"""CSS of a mail's `<style>` written into the tags, as mail programs want it, without harm to Liquid. Pure."""

import re

import css_inline

# What is never closed reaches to the end: else each further opening would be looked for to the end anew.
LIQUID = re.compile(r"{{.*?(?:}}|\Z)|{%.*?(?:%}|\Z)", re.DOTALL)
STYLE = re.compile(r"<style\b.*?(?:</style\s*>|\Z)", re.DOTALL | re.IGNORECASE)
# Private-use characters: no HTML parser gives them a meaning, and no author types them.
TOKEN = re.compile('<!--\ue000(\\d+)\ue001-->|\ue000(\\d+)\ue001(="")?')
OPAQUE = re.compile(
    r"""<!--.*?(?:-->|\Z)|<(?:title|style|script|textarea)\b.*?(?:</(?:title|style|script|textarea)\s*>|\Z)"""
    r"""|<[a-z/!](?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z)|[^'">])*(?:>|\Z)""",
    re.DOTALL | re.IGNORECASE,
)
INLINER = css_inline.CSSInliner(load_remote_stylesheets=False)


class InliningError(ValueError):
    """The HTML or its CSS cannot be worked on; the message says why."""


def inline_css(html: str) -> str:
    """The Liquid source with its `<style>` rules moved into `style` attributes; unchanged when it has none.

    The inliner parses HTML and writes it anew, and would escape or move Liquid. So each piece of Liquid is replaced
    first: within a tag or a title by a plain token, elsewhere by a comment, which may stand even between the rows of a
    table. Raises `InliningError`.
    """
    if not re.search(r"<style\b", html, re.IGNORECASE):
        return html
    if any(LIQUID.search(style) for style in STYLE.findall(html)):
        raise InliningError("Liquid cannot be used inside <style>")
    pieces: list[str] = []

    def keep(match: re.Match[str]) -> str:
        pieces.append(match.group())
        return f"\ue000{len(pieces) - 1}\ue001"

    try:
        inlined = INLINER.inline(_tokens_to_comments(LIQUID.sub(keep, html)))
    except css_inline.InlineError as error:
        raise InliningError(str(error)) from None
    # The writer gives every attribute a value: a token that stood as an attribute comes back as token="".
    return TOKEN.sub(lambda match: pieces[int(match.group(1) or match.group(2))], inlined)


def _tokens_to_comments(html: str) -> str:
    """Wrap the tokens that stand in text, leaving alone those within tags, comments and titles."""
    parts: list[str] = []
    end = 0
    for match in OPAQUE.finditer(html):
        parts += [_wrapped(html[end : match.start()]), match.group()]
        end = match.end()
    return "".join([*parts, _wrapped(html[end:])])


def _wrapped(text: str) -> str:
    return re.sub("\ue000\\d+\ue001", lambda match: f"<!--{match.group()}-->", text)
