import time
from contextlib import suppress

import pytest

from campaigns import rendering
from campaigns.inlining import InliningError, inline_css
from campaigns.rendering import TemplateError
from tests.factories.campaigns import HTML, TEXT

URL = "https://heed.example.com/u/token"


def values(**profile: object) -> dict[str, object]:
    return rendering.variables(profile=profile, campaign_name="Spring", unsubscribe_url=URL)


def test_fills_in_what_is_known_of_a_person() -> None:
    source = TEXT + "{{ profile.city }}, {{ profile.attributes.size }}, {{ campaign.name }}"
    compiled = rendering.compile_content(subject="Hi {{ profile.name }}", text=source, html="")
    rendered = compiled.render(values(name="Li", city="Xi'an", attributes={"size": 42}))
    assert rendered.subject == "Hi Li"
    assert rendered.text.endswith("Xi'an, 42, Spring")
    assert URL in rendered.text
    assert rendered.html == ""


def test_a_name_carries_no_html_into_the_html_part_only() -> None:
    compiled = rendering.compile_content(subject="s", text=TEXT, html=HTML)
    rendered = compiled.render(values(name="<img src=x> & Co"))
    assert "&lt;img src=x&gt; &amp; Co" in rendered.html
    assert "<img src=x> & Co" in rendered.text


@pytest.mark.parametrize(
    ("parts", "field", "reason"),
    [
        ({"text": TEXT + "{% if %}"}, "text", "line 4: missing expression"),
        ({"text": TEXT + "{{ "}, "text", "expected"),
        ({"text": TEXT + "{{ profile.name | shout }}"}, "text", "unknown filter"),
        ({"text": TEXT + "{% render 'other' %}"}, "text", "unexpected tag 'render'"),
        ({"text": TEXT + "{% include 'other' %}"}, "text", "unexpected tag 'include'"),
        ({"text": TEXT + "{{ profile.password }}"}, "text", "unknown variable: profile.password"),
        ({"text": TEXT + "{{ settings }}"}, "text", "unknown variable: settings"),
        ({"text": TEXT + "{{ profile[campaign.name] }}"}, "text", "unknown variable"),
        ({"text": TEXT + "{{ profile.city | divided_by: 0 }}"}, "text", "divide by 0"),
        ({"text": TEXT + "x" * 200_001}, "text", "longer than"),
        ({"text": TEXT + "{% if true %}" * 200 + "{% endif %}" * 200}, "text", "nesting"),
        ({"text": "https://shop.example.com"}, "text", "must show {{ unsubscribe_url }}"),
        ({"text": "Stop: {{ unsubscribe_url }}"}, "text", "call to action"),
        ({"text": "https://a.example.com {% if profile.city %}{{ unsubscribe_url }}{% endif %}"}, "text", "must show"),
        ({"html": "<p>no link</p>"}, "html", "must show {{ unsubscribe_url }}"),
        ({"html": "<a href='{{ unsubscribe_url }}'>Stop</a>"}, "html", "call to action"),
        ({"html": HTML + "{{ profile.name | safe }}"}, "html", "unknown filter"),
        ({"html": HTML + "<style>p { color: {{ profile.city }} }</style>"}, "html", "inside <style>"),
        ({"subject": "{{ profile.city }}"}, "subject", "is empty"),
        ({"subject": "{{"}, "subject", "expected"),
    ],
)
def test_refuses_what_could_not_be_sent(parts: dict[str, str], field: str, reason: str) -> None:
    with pytest.raises(TemplateError) as raised:
        rendering.validate(**({"subject": "Hi", "text": TEXT, "html": HTML} | parts))
    assert raised.value.field == field
    assert reason in raised.value.reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% for i in (1..100) %}{% for j in (1..100) %}x{% endfor %}{% endfor %}", "loop iteration limit"),
        ("{% for i in (1..900) %}" + "x" * 1000 + "{% endfor %}", "output stream limit"),
        ("{% assign s = 'x' %}" + "{% assign s = s | append: s %}" * 40, "limit reached"),
        ("{% for i in (1..1000) %}" + "{% if i == 0 %}{% endif %}" * 7000 + "{% endfor %}", "takes too long"),
        ("{{ '" + "x" * 9000 + "' | replace: 'x', '" + "y" * 9000 + "' | size }}", "output stream limit"),
        ("{{ '" + "x," * 9000 + "' | split: ',' | join: '" + "y" * 9000 + "' | size }}", "output stream limit"),
    ],
)
def test_a_template_cannot_take_the_worker_with_it(source: str, reason: str) -> None:
    compiled = rendering.compile_content(subject="s", text=TEXT + source, html="")
    started = time.monotonic()
    with pytest.raises(TemplateError, match=reason):
        compiled.render(values())
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "source",
    [
        "{{ (1..5000000) | reverse | size }}",
        "{% if (1..5000000) contains profile.name %}x{% endif %}",
        "{% for i in (1..3) %}{% assign all = (1..5000000) %}{% endfor %}",
    ],
)
def test_a_range_is_for_loops_only(source: str) -> None:
    with pytest.raises(TemplateError, match="a range can only be looped over"):
        rendering.validate(subject="s", text=TEXT + source, html="")
    rendering.validate(subject="s", text=TEXT + "{% for i in (1..3) %}{{ i }}{% endfor %}", html="")


@pytest.mark.parametrize("opening", ["<a ", "<!--", "<style", "<title", "{{", "{%", "<a x='", '<a href "'])
def test_what_is_opened_ever_again_and_never_closed_takes_no_time(opening: str) -> None:
    started = time.monotonic()
    with suppress(TemplateError):
        rendering.validate(subject="s", text=TEXT, html=HTML + "<style></style>" + opening * 15_000)
    rendering.HREF.findall(opening * 15_000)
    assert time.monotonic() - started < 2


def test_a_good_template_passes() -> None:
    rendering.validate(subject="Offers for {{ profile.name | default: 'you' }}", text=TEXT, html=HTML)
    rendering.validate(subject="Offers", text=TEXT, html="")


def test_css_is_inlined_and_liquid_survives() -> None:
    source = """<html><head><title>{{ campaign.name }}</title><style>td { color: red }</style></head><body>
<table>{% for i in (1..2) %}<tr>
<td {% if i > 1 %}hidden{% endif %} title="{{ profile.city }}">{{ i }} &amp; more</td></tr>
{% endfor %}</table><!-- {{ profile.name }} --><a href={{ unsubscribe_url }}>x</a>
{% if 1 < 2 and 'a' == "a" %}yes{% endif %}
</body></html>"""
    inlined = inline_css(source)
    assert "<style" not in inlined
    assert "\ue000" not in inlined
    text = TEXT + "{{ profile.city }}"
    rendered = rendering.compile_content(subject="s", text=text, html=source).render(values(city="Xi'an"))
    assert "<title>Spring</title>" in rendered.html
    assert '<td title="Xi&#39;an" style="color: red;">1 &amp; more</td>' in rendered.html.replace("  ", " ")
    assert '<td hidden title="Xi&#39;an" style="color: red;">2 &amp; more</td>' in rendered.html
    assert f'<a href="{URL}">x</a>\nyes' in rendered.html


def test_html_without_styles_is_left_alone() -> None:
    source = "<p>{{ profile.name }} < <b>unclosed"
    assert inline_css(source) == source


def test_css_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(InliningError):
        inline_css("<style>p { {% if true %}color: red{% endif %} }</style>")
