"""Routes of version 1 that this app answers."""

from django.urls import path

from campaigns.api import deliveries

urlpatterns = [path("deliveries/", deliveries.DeliveriesView.as_view(), name="api-deliveries")]
