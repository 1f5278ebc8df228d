"""Routes of the API: version 1, its token endpoint, its description and its pages for reading."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from config.api_tokens import ClientCredentialsView

urlpatterns = [
    path("v1/", include("compliance.api.urls")),
    path("v1/", include("segments.api.urls")),
    path("v1/", include("campaigns.api.urls")),
    path("oauth/token/", ClientCredentialsView.as_view(), name="token"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
]
