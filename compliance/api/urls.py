"""Routes of version 1 that this app answers."""

from django.urls import path

from compliance.api import propagation, subject_requests

urlpatterns = [
    path("propagation/", propagation.PropagationView.as_view(), name="api-propagation"),
    path("propagation/<uuid:uid>/acknowledge/", propagation.AcknowledgeView.as_view(), name="api-acknowledge"),
    path("subject-requests/", subject_requests.SubjectRequestsView.as_view(), name="api-subject-requests"),
    path("subject-requests/<uuid:uid>/", subject_requests.SubjectRequestView.as_view(), name="api-subject-request"),
]
