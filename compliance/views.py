"""The pages behind every unsubscribe link. No cookie, no login, no JavaScript; reading them changes nothing."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from compliance import tokens
from compliance.models import ConsentMethod, Purpose
from compliance.selectors import preferences as selectors
from compliance.services import preferences as preference_service
from compliance.services import unsubscribe as service

ONE_CLICK = "One-Click"
MAX_ID_DIGITS = 18


@csrf_exempt  # mailbox providers post without a session (RFC 8058, section 3.1); the token is the authority
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows what the link would stop; POST stops it, effective before the answer returns."""
    try:
        claim = tokens.read(token)
        purpose = Purpose.objects.get(pk=claim.purpose_id)
    except (tokens.TokenError, Purpose.DoesNotExist):
        return render(request, "compliance/unsubscribe_invalid.html", status=404)
    context = {"purpose": purpose, "token": token}
    if request.method != "POST":
        return render(request, "compliance/unsubscribe.html", context)
    method = _method(request)
    if method is None:
        return render(request, "compliance/unsubscribe.html", context, status=400)
    service.by_token(token=token, method=method, now=timezone.now())
    return render(request, "compliance/unsubscribe.html", {**context, "done": True})


@csrf_exempt  # as above: the token is the authority
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """The preference centre: GET shows what the person said yes to, POST changes it."""
    try:
        claim = tokens.read(token)
    except tokens.TokenError:
        return render(request, "compliance/unsubscribe_invalid.html", status=404)
    now, language = timezone.now(), get_language()
    saved = outdated = False
    if request.method == "POST":
        try:
            _save(request, claim, language)
            saved = True
        except preference_service.OutdatedNoticeError:
            outdated = True
    offered = selectors.choices(claim, language=language, now=now)
    if not offered:  # nobody is known, or nothing may be chosen: stopping messages always works
        return redirect("compliance:unsubscribe", token=token)
    context = {"choices": offered, "token": token, "saved": saved, "outdated": outdated}
    return render(request, "compliance/preferences.html", context, status=409 if outdated else 200)


def _save(request: HttpRequest, claim: tokens.Claim, language: str) -> None:
    if request.POST.get("stop") == "all":
        preference_service.stop_all(claim=claim, now=timezone.now())
        return
    wanted = {}
    for name in request.POST:
        # "yes-<purpose>-<channel>" with the id of the notice that stands beside the box
        kind, _, rest = name.partition("-")
        purpose, _, channel = rest.partition("-")
        value = request.POST.get(name, "")
        if kind == "yes" and _is_id(purpose) and _is_id(value):
            wanted[int(purpose), channel] = int(value)
    preference_service.save(claim=claim, wanted=wanted, language=language, now=timezone.now())


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS


def _method(request: HttpRequest) -> str | None:
    """One click of a mail program (RFC 8058, section 3.2) or the button of the page; nothing else withdraws."""
    if request.POST.get("List-Unsubscribe") == ONE_CLICK:
        return ConsentMethod.ONE_CLICK
    return ConsentMethod.LINK if request.POST.get("confirm") == "yes" else None
