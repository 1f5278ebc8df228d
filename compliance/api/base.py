"""The view that all endpoints derive from."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, ClassVar, TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from compliance import actors
from compliance.api.fields import StrictSerializer
from compliance.api.parsers import StrictJSONParser

Input = TypeVar("Input", bound=StrictSerializer)


class ApiView(APIView):
    """An endpoint for partner systems. `scopes` says which scopes a token needs for each method."""

    scopes: ClassVar[Mapping[str, Sequence[str]]]
    parser_classes = [StrictJSONParser]
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]  # /api/schema/ tells what OPTIONS would

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer with times in UTC, whatever the installation's zone."""
        with timezone.override(UTC):
            return super().dispatch(request, *args, **kwargs)

    @property
    def required_scopes(self) -> Sequence[str]:
        """What `TokenHasScope` asks for. A method that the endpoint lacks needs none: its answer is 405."""
        return self.scopes.get(_method(self.request), ())

    @property
    def actor(self) -> str:
        """Who calls, as ledgers and audit leaves name it."""
        return actors.client(self.token.application.client_id)

    @property
    def token(self) -> Any:
        """The caller's access token."""
        return self.request.auth

    @staticmethod
    def read(kind: type[Input], request: Request) -> Input:
        """The checked body, or the checked query of a GET. Raises `ValidationError` naming each bad field."""
        data: Any = request.query_params.dict() if _method(request) == "GET" else request.data
        serializer = kind(data=data)
        serializer.is_valid(raise_exception=True)
        return serializer


def _method(request: Request) -> str:
    """HEAD is GET without the body (RFC 9110, section 9.3.2), and Django answers it with the same handler."""
    return "GET" if request.method == "HEAD" else request.method or ""
