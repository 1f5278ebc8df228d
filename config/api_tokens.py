"""The token endpoint: OAuth 2.0 client credentials (RFC 6749, section 4.4) and no other grant.

Its errors have the form of RFC 6749, section 5.2, which OAuth clients expect, not that of the rest of the API.
"""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from oauth2_provider.views import TokenView
from oauthlib.oauth2 import BackendApplicationServer  # type: ignore[import-untyped]

GRANT = "client_credentials"
MAX_LENGTH = 4_000


@method_decorator(never_cache, name="dispatch")
class ClientCredentialsView(TokenView):
    """Gives a registered client a token for the scopes that it asks for."""

    http_method_names = ["post"]
    server_class = BackendApplicationServer

    @method_decorator(sensitive_post_parameters("client_secret"))
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            form = request.POST
        except RequestDataTooBig:
            return _refusal("invalid_request", "The request is too large.", status=413)
        if any("\0" in value or len(value) > MAX_LENGTH for name in form for value in [name, *form.getlist(name)]):
            return _refusal("invalid_request", "A parameter is malformed or too long.")
        if form.get("grant_type") != GRANT:
            return _refusal("unsupported_grant_type", f"Only {GRANT} is supported.")
        answer: HttpResponse = self.authorization_flow_token_response(request)
        return answer


def _refusal(error: str, description: str, *, status: int = 400) -> HttpResponse:
    return JsonResponse({"error": error, "error_description": description}, status=status)
