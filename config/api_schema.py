"""How the API describes itself: every operation with its error answers and, for writes, its `Idempotency-Key`."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from compliance.api import idempotency
from compliance.api.fields import StrictSerializer
from compliance.api.problems import MEDIA_TYPE, ProblemSerializer

ALWAYS = {
    400: "The request has invalid fields, or is not valid JSON.",
    401: "The token is missing, unknown or expired.",
    403: "The token lacks the scope.",
    406: "The client accepts no JSON.",
}
WITH_BODY = {
    413: "The body is too large.",
    415: "The body is not declared as application/json.",
}
WITH_KEY = {422: "The `Idempotency-Key` was used for another request."}
WITH_PATH = {404: "There is nothing with this id."}


class ApiSchema(AutoSchema):
    """Adds what all operations have in common."""

    def get_override_parameters(self) -> list[Any]:
        if not self._takes_key():
            return []
        return [
            OpenApiParameter(
                idempotency.HEADER,
                {"type": "string", "pattern": f"^{idempotency.KEY.pattern}$"},
                OpenApiParameter.HEADER,
                description="A repeat with the same key and body changes nothing and gets the same answer (48 hours).",
            )
        ]

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        described: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(serializer, StrictSerializer):
            described |= {"additionalProperties": False, **serializer.rules}
        return described

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        errors = {
            **ALWAYS,
            **(WITH_BODY if self.method in {"POST", "PATCH"} else {}),
            **(WITH_KEY if self._takes_key() else {}),
            **(WITH_PATH if "{" in self.path else {}),
        }
        for status, description in errors.items():
            described = self._get_response_for_code(  # type: ignore[no-untyped-call]
                ProblemSerializer, str(status), [MEDIA_TYPE], direction
            )
            bodies[str(status)] = {**described, "description": description}
        return bodies

    def _takes_key(self) -> bool:
        return getattr(getattr(self.view, self.method.lower()), "idempotent", False)
