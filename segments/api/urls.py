"""Routes of version 1 that this app answers."""

from django.urls import path

from segments.api import (
    consents,
    events,
    merges,
    profiles,
    segment_insight,
    segment_members,
    segments,
    tags,
    unsubscribe,
    value_types,
)

urlpatterns = [
    path("profiles/", profiles.ProfilesView.as_view(), name="api-profiles"),
    path("profiles/find/", profiles.FindProfileView.as_view(), name="api-profile-find"),
    path("profiles/<uuid:uid>/", profiles.ProfileView.as_view(), name="api-profile"),
    path("profiles/<uuid:uid>/merge/", merges.MergeProfileView.as_view(), name="api-profile-merge"),
    path("merges/<uuid:uid>/undo/", merges.UndoMergeView.as_view(), name="api-merge-undo"),
    path("events/", events.EventsView.as_view(), name="api-events"),
    path("event-types/", value_types.EventTypesView.as_view(), name="api-event-types"),
    path("attribute-types/", value_types.AttributeTypesView.as_view(), name="api-attribute-types"),
    path("consents/", consents.ConsentsView.as_view(), name="api-consents"),
    path("unsubscribe/", unsubscribe.UnsubscribeView.as_view(), name="api-unsubscribe"),
    path("tags/", tags.TagsView.as_view(), name="api-tags"),
    path("tags/<slug:key>/people/", tags.TagPeopleView.as_view(), name="api-tag-people"),
    path("profiles/<uuid:uid>/tags/", tags.ProfileTagsView.as_view(), name="api-profile-tags"),
    path("profiles/<uuid:uid>/tags/<slug:key>/", tags.ProfileTagView.as_view(), name="api-profile-tag"),
    path("segments/", segments.SegmentsView.as_view(), name="api-segments"),
    path("segments/overlap/", segment_insight.OverlapView.as_view(), name="api-segment-overlap"),
    path("segments/<slug:key>/sizes/", segment_insight.SizesView.as_view(), name="api-segment-sizes"),
    path("segments/<slug:key>/", segments.SegmentView.as_view(), name="api-segment"),
    path("segments/<slug:key>/refresh/", segments.RefreshSegmentView.as_view(), name="api-segment-refresh"),
    path("segments/<slug:key>/members/", segment_members.MembersView.as_view(), name="api-segment-members"),
    path("segments/<slug:key>/history/", segment_members.HistoryView.as_view(), name="api-segment-history"),
    path("segment-preview/", segments.PreviewSegmentView.as_view(), name="api-segment-preview"),
    path("profiles/<uuid:uid>/segments/", segment_members.ProfileSegmentsView.as_view(), name="api-profile-segments"),
]
