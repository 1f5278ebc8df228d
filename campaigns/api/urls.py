"""Routes of version 1 that this app answers."""

from django.urls import path

from campaigns.api import deliveries, runs

urlpatterns = [
    path("deliveries/", deliveries.DeliveriesView.as_view(), name="api-deliveries"),
    path("runs/", runs.RunsView.as_view(), name="api-runs"),
]
