"""Routes of version 1 that this app answers."""

from django.urls import path

from segments.api import consents, events, merges, profiles, segments, unsubscribe

urlpatterns = [
    path("profiles/", profiles.ProfilesView.as_view(), name="api-profiles"),
    path("profiles/find/", profiles.FindProfileView.as_view(), name="api-profile-find"),
    path("profiles/<uuid:uid>/", profiles.ProfileView.as_view(), name="api-profile"),
    path("profiles/<uuid:uid>/merge/", merges.MergeProfileView.as_view(), name="api-profile-merge"),
    path("merges/<uuid:uid>/undo/", merges.UndoMergeView.as_view(), name="api-merge-undo"),
    path("events/", events.EventsView.as_view(), name="api-events"),
    path("consents/", consents.ConsentsView.as_view(), name="api-consents"),
    path("unsubscribe/", unsubscribe.UnsubscribeView.as_view(), name="api-unsubscribe"),
    path("segments/", segments.SegmentsView.as_view(), name="api-segments"),
    path("segments/<slug:key>/members/", segments.MembersView.as_view(), name="api-segment-members"),
]
