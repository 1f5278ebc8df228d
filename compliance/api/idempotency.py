"""`Idempotency-Key`: a write repeated with the same key gets the answer of the first, and is done once."""

import functools
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.parsers import raw_body
from compliance.services import idempotency

HEADER = "Idempotency-Key"
KEY = re.compile(r"[\x21-\x7e]{1,255}")

Handler = Callable[..., Response]


class KeyReused(APIException):
    """The key stands for another request."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"


def idempotent(handler: Handler) -> Handler:
    """Give a view's write method the header. Answers of failed requests are not kept: a repeat tries again.

    The answer is kept in the transaction of the write, so that there is never one without the other.
    """

    @functools.wraps(handler)
    def wrapped(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return handler(view, request, *args, **kwargs)
        if not KEY.fullmatch(key):
            raise ValidationError({HEADER: [_("Give 1 to 255 printable ASCII characters without spaces.")]})
        call = {"client": view.actor, "key": key, "request_sha256": _fingerprint(request), "now": timezone.now()}
        with transaction.atomic():
            try:
                earlier = idempotency.earlier_answer(**call)
            except idempotency.KeyReusedError:
                raise KeyReused(_("This key was used for another request.")) from None
            if earlier is not None:
                return Response(json.loads(bytes(earlier.body)), status=earlier.status)
            answer = handler(view, request, *args, **kwargs)
            idempotency.remember(**call, status=answer.status_code, body=JSONRenderer().render(answer.data))
            return answer

    wrapped.idempotent = True  # type: ignore[attr-defined]  # for the description (config.api_schema)
    return wrapped


def _fingerprint(request: Request) -> str:
    head = f"{request.method} {request.get_full_path()}\0".encode()
    return hashlib.sha256(head + raw_body(request)).hexdigest()
