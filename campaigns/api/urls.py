"""Routes of version 1 that this app answers."""

from django.urls import path

from campaigns.api import deliveries, inbox, runs

urlpatterns = [
    path("deliveries/", deliveries.DeliveriesView.as_view(), name="api-deliveries"),
    path("runs/", runs.RunsView.as_view(), name="api-runs"),
    path("profiles/<uuid:uid>/inbox/", inbox.InboxView.as_view(), name="api-inbox"),
    path("profiles/<uuid:uid>/inbox/read/", inbox.InboxReadView.as_view(), name="api-inbox-read"),
]
