"""Routes of version 1 that this app answers."""

from django.urls import path

from compliance.api import propagation

urlpatterns = [
    path("propagation/", propagation.PropagationView.as_view(), name="api-propagation"),
    path("propagation/<uuid:uid>/acknowledge/", propagation.AcknowledgeView.as_view(), name="api-acknowledge"),
]
