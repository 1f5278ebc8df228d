"""The page behind every unsubscribe link. No cookie, no login, no JavaScript; reading it changes nothing."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from compliance import tokens
from compliance.models import ConsentMethod, Purpose
from compliance.services import unsubscribe as service

ONE_CLICK = "One-Click"


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
    if request.method != "POST":
        return render(request, "compliance/unsubscribe.html", {"purpose": purpose, "done": False})
    method = _method(request)
    if method is None:
        return render(request, "compliance/unsubscribe.html", {"purpose": purpose, "done": False}, status=400)
    done = service.by_token(token=token, method=method, now=timezone.now())
    return render(request, "compliance/unsubscribe.html", {"purpose": done.purpose, "done": True})


def _method(request: HttpRequest) -> str | None:
    """One click of a mail program (RFC 8058, section 3.2) or the button of the page; nothing else withdraws."""
    if request.POST.get("List-Unsubscribe") == ONE_CLICK:
        return ConsentMethod.ONE_CLICK
    return ConsentMethod.LINK if request.POST.get("confirm") == "yes" else None
