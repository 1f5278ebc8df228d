"""Error answers of the API as problem details (RFC 9457), wherever the error arises; other pages keep Django's."""

import json
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from compliance.api import problems

API_PATH = "/api/"


def problem_details(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an error raised in an API view; None for a bug, which ends in `server_error`."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    answer = exception_handler(error, context)
    if answer is None or not isinstance(error, exceptions.APIException):
        return None
    invalid = isinstance(error, exceptions.ValidationError)
    answer.data = problems.problem(
        status=answer.status_code,
        code="invalid" if invalid else _code(error),
        detail=_("The request has invalid fields.") if invalid else str(error.detail),
        errors=list(problems.field_errors(error.detail)) if invalid else (),
    )
    answer.content_type = problems.MEDIA_TYPE
    return answer


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404 where no route matches."""
    if not request.path.startswith(API_PATH):
        return defaults.page_not_found(request, exception)
    return _answer(404, "not_found", _("There is nothing at this address."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400 for requests that Django itself refuses."""
    if not request.path.startswith(API_PATH):
        return defaults.bad_request(request, exception)
    return _answer(400, "bad_request", _("The request is malformed."))


def server_error(request: HttpRequest) -> HttpResponseBase:
    """500: a bug. The log has the details; the answer has none."""
    if not request.path.startswith(API_PATH):
        return defaults.server_error(request)
    return _answer(500, "server_error", _("Something went wrong on our side."))


def _code(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else error.default_code


def _answer(status: int, code: str, detail: str) -> HttpResponse:
    body = problems.problem(status=status, code=code, detail=detail)
    return HttpResponse(json.dumps(body), status=status, content_type=problems.MEDIA_TYPE)
