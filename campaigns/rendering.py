"""Liquid: what a template may say, checked when it is written, and filled in for one person when it is sent.

Pure. Parsing and CSS inlining happen once per content and are cached; rendering costs some 60 microseconds a part. A
template cannot reach files, other templates or Python, and is stopped when it loops, writes or thinks too much.
"""

import functools
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from liquid import BoundTemplate, Environment
from liquid.builtin.expressions.loop import LoopExpression
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.context import RenderContext
from liquid.exceptions import LiquidError, OutputStreamLimitError
from liquid.expression import Expression
from liquid.output import LimitedStringIO

from campaigns.inlining import InliningError, inline_css
from campaigns.message_rules import MAIL, MessageRules

PROFILE_FIELDS = (
    "name", "gender", "birth_date", "language", "country", "region", "city", "timezone", "attributes",
)  # fmt: skip
MAX_SOURCE = 200_000  # characters a part
MAX_UNCLOSED = 100
MAX_SECONDS = 0.5
MAX_MULTIPLIED = 50_000_000  # characters that `replace` and `join` could write
REMOVED_TAGS = ("include", "render")  # there is nothing to include
URL = re.compile(r"https?://[^\s\"'<>]+")
HREF = re.compile(r"""<a\b[^<>]*\bhref\s*=\s*["']?(https?://[^\s"'>]+)""", re.IGNORECASE)
_TOO_LONG = gettext_lazy(
    "is %(length)s characters long, %(ending)s of them the opt-out text; this channel takes %(most)s at most"
)
SAMPLE_UNSUBSCRIBE_URL = "https://unsubscribe.example.com/u/sample"


class TemplateError(ValueError):
    """A part of a template cannot be used; `field` is `subject`, `text` or `html`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class _Environment(Environment):
    loop_iteration_limit = 1_000
    output_stream_limit = 500_000  # bytes
    local_namespace_limit = 100_000  # bytes


class _TooSlowError(LiquidError):
    """The template takes too long."""


class _Context(RenderContext):
    """A render context that looks at the clock whenever a variable is read or assigned."""

    __slots__ = ("deadline",)

    def __init__(self, template: BoundTemplate, variables: Mapping[str, object]) -> None:
        super().__init__(template, globals=variables)
        self.deadline = time.monotonic() + MAX_SECONDS

    def get(self, *args: Any, **kwargs: Any) -> object:
        self._check()
        return super().get(*args, **kwargs)

    def assign(self, key: str, val: Any) -> None:
        self._check()
        super().assign(key, val)

    def _check(self) -> None:
        if time.monotonic() > self.deadline:
            raise _TooSlowError(_("takes too long"), token=None)


def _environment(*, autoescape: bool) -> Environment:
    environment = _Environment(autoescape=autoescape)
    for tag in REMOVED_TAGS:
        del environment.tags[tag]
    # `safe` would let a customer's name carry HTML into the mail.
    for name in ("safe", "escapejs"):
        environment.filters.pop(name, None)
    for name in ("replace", "join"):
        environment.filters[name] = _limited(environment.filters[name])
    return environment


def _limited(multiply: Callable[..., str]) -> Callable[..., str]:
    """A filter whose output may be as long as its inputs multiplied, stopped before it fills the memory."""

    @functools.wraps(multiply)
    def limited(value: Any, *args: Any, **kwargs: Any) -> str:
        times = len(value) if isinstance(value, list) else len(str(value)) + 1
        if times * max([len(str(argument)) for argument in args], default=1) > MAX_MULTIPLIED:
            raise OutputStreamLimitError("output stream limit reached", token=None)
        return multiply(value, *args, **kwargs)

    return limited


PLAIN = _environment(autoescape=False)
HTML = _environment(autoescape=True)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The parts of one person's message; `html` is empty when the template has none."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template, parsed and with its CSS inlined."""

    subject: BoundTemplate
    text: BoundTemplate
    html: BoundTemplate | None

    def render(self, variables: Mapping[str, object], rules: MessageRules = MAIL) -> Rendered:
        """The message for `variables` (see `variables`). Raises `TemplateError`.

        A mail that leaves out the unsubscribe link is refused: no condition in a template may take it from anybody. So
        is a message that is longer than its channel takes.
        """
        text = _render("text", self.text, variables)
        html = _render("html", self.html, variables) if self.html else ""
        if rules.has_link:
            _check_link(str(variables["unsubscribe_url"]), {"text": text} | ({"html": html} if self.html else {}))
        else:
            text = text.strip() + rules.ending
        if rules.max_length is not None and len(text) > rules.max_length:
            lengths = {"length": len(text), "most": rules.max_length, "ending": len(rules.ending)}
            raise TemplateError("text", _TOO_LONG % lengths)
        return Rendered(_render("subject", self.subject, variables), text, html)

    def parts(self) -> dict[str, BoundTemplate]:
        parts = {"subject": self.subject, "text": self.text}
        return parts | ({"html": self.html} if self.html else {})


def variables(*, profile: Mapping[str, object], campaign_name: str, unsubscribe_url: str) -> dict[str, object]:
    """What a template may use. `profile` has keys of `PROFILE_FIELDS`.

    What is unknown is nil, not an empty text: Liquid's `if` takes an empty text for true.
    """
    return {
        "profile": {name: profile.get(name) or None for name in PROFILE_FIELDS},
        "campaign": {"name": campaign_name},
        "unsubscribe_url": unsubscribe_url,
    }


@functools.lru_cache(maxsize=256)
def compile_content(*, subject: str, text: str, html: str) -> Compiled:
    """Parse the three parts. Raises `TemplateError` for syntax, unknown tags and filters, or unreadable CSS."""
    try:
        inlined = inline_css(html) if html else ""
    except InliningError as error:
        raise TemplateError("html", str(error)) from None
    return Compiled(
        _parse("subject", PLAIN, subject),
        _parse("text", PLAIN, text),
        _parse("html", HTML, inlined) if html else None,
    )


def validate(*, subject: str, text: str, html: str, rules: MessageRules = MAIL) -> None:
    """Refuse a template that could not be sent: raises `TemplateError` naming the part and the reason.

    Beyond what compiling checks: only known variables; something left in each part for a person of whom nothing is
    known; in a mail the unsubscribe link, and another link as call to action (mission C1), in text and HTML; no more
    characters than the channel takes.
    """
    if html and not rules.has_html:
        raise TemplateError("html", _("is for e-mail only"))
    compiled = compile_content(subject=subject, text=text, html=html)
    for field, part in compiled.parts().items():
        _check_variables(field, part)
        _check_ranges(field, part)
    unknown: dict[str, object] = {"attributes": {}}
    known = {name: name for name in PROFILE_FIELDS} | unknown
    for person in (known, unknown):
        rendered = compiled.render(
            variables(profile=person, campaign_name="campaign", unsubscribe_url=SAMPLE_UNSUBSCRIBE_URL), rules
        )
        if rules.needs_subject and not rendered.subject.strip():
            raise TemplateError("subject", _("is empty for somebody of whom nothing is known"))
        if rules.has_link:
            _check_call_to_action(rendered)
        elif not rendered.text.removesuffix(rules.ending).strip():
            raise TemplateError("text", _("is empty for somebody of whom nothing is known"))


def _check_link(url: str, parts: Mapping[str, str]) -> None:
    for field, part in parts.items():
        if url not in part:
            raise TemplateError(field, _("must show {{ unsubscribe_url }} to everybody"))


def _check_call_to_action(rendered: Rendered) -> None:
    reason = _("needs a link as call to action besides the unsubscribe link")
    if not any(SAMPLE_UNSUBSCRIBE_URL not in url for url in URL.findall(rendered.text)):
        raise TemplateError("text", reason)
    if rendered.html and not any(SAMPLE_UNSUBSCRIBE_URL not in url for url in HREF.findall(rendered.html)):
        raise TemplateError("html", reason)


def _check_variables(field: str, part: BoundTemplate) -> None:
    for segments in part.global_variable_segments():
        path = [str(segment) for segment in segments]
        of_profile = path[0] == "profile" and len(path) > 1 and path[1] in PROFILE_FIELDS
        if not of_profile and path not in (["unsubscribe_url"], ["campaign", "name"]):
            raise TemplateError(field, _("unknown variable: %(name)s") % {"name": ".".join(path)})


def _check_ranges(field: str, part: BoundTemplate) -> None:
    """Refuse `(1..n)` wherever nothing counts its members: filters and conditions would walk through all of them."""
    context, nodes = RenderContext(part), list(part.nodes)
    expressions: list[Expression] = []
    for node in nodes:  # grows meanwhile
        nodes += node.children(context, include_partials=False)
        expressions += node.expressions()
    for expression in expressions:  # grows meanwhile
        if isinstance(expression, RangeLiteral):
            raise TemplateError(field, _("a range can only be looped over"))
        inner = list(expression.children())
        expressions += inner[1:] if isinstance(expression, LoopExpression) else inner


def _parse(field: str, environment: Environment, source: str) -> BoundTemplate:
    if len(source) > MAX_SOURCE:
        raise TemplateError(field, _("is longer than %(limit)s characters") % {"limit": MAX_SOURCE})
    if source.rpartition("}}")[2].count("{{") > MAX_UNCLOSED:  # python-liquid would look for each one's end anew
        raise TemplateError(field, _("is nested too deeply"))
    try:
        return environment.from_string(source)
    except LiquidError as error:
        raise TemplateError(field, _reason(error)) from None
    except RecursionError:
        raise TemplateError(field, _("is nested too deeply")) from None


def _render(field: str, part: BoundTemplate, values: Mapping[str, object]) -> str:
    buffer = LimitedStringIO(limit=_Environment.output_stream_limit)
    try:
        part.render_with_context(_Context(part, values), buffer)
    except LiquidError as error:
        raise TemplateError(field, _reason(error)) from None
    except (RecursionError, ArithmeticError, ValueError, TypeError) as error:
        raise TemplateError(field, f"{type(error).__name__}: {error}") from None
    return buffer.getvalue()


def _reason(error: LiquidError) -> str:
    try:
        context = error.context()
    except ValueError:  # python-liquid cannot place an error at the very end of the source
        context = None
    where = _("line %(line)s: ") % {"line": context[0]} if context else ""
    return f"{where}{error.message}"
