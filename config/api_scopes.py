"""Which scopes a client may have: its own, never all there are."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from oauth2_provider.scopes import BaseScopes

from compliance.models import ApiClient


class ClientScopes(BaseScopes):
    """The scopes that an administrator gave the client. One that asks for none in particular gets all of those."""

    def get_all_scopes(self) -> Mapping[str, Any]:
        scopes: Mapping[str, Any] = settings.OAUTH2_SCOPES
        return scopes

    def get_available_scopes(
        self, application: ApiClient | None = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> Sequence[str]:
        if application is None:
            return []
        return [scope for scope in application.scopes if scope in settings.OAUTH2_SCOPES]

    def get_default_scopes(
        self, application: ApiClient | None = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> Sequence[str]:
        return self.get_available_scopes(application)
