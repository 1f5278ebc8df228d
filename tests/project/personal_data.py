"""Every field of every model of ours, classified. A new field fails `test_personal_data` until it is placed here.

DIRECT identifies or reaches a person and must be encrypted or digested; ABOUT tells something of a person; the rest of
a model's fields, named in NONE, does neither.
"""

DIRECT = {
    "compliance.Suppression": {"digest"},
    "segments.Identity": {"digest", "value_encrypted"},
    "segments.JoinReview": {"input_encrypted"},
    "segments.Profile": {"name_encrypted"},
    "segments.QuarantinedEvent": {"event_encrypted"},
    "segments.ProfileMerge": {"snapshot_encrypted"},
    "segments.RejectedRow": {"row_encrypted"},
    "segments.SegmentUpload": {"file_encrypted"},
    "campaigns.Delivery": {"address_digest"},
    "campaigns.InboxMessage": {"content_encrypted"},
}
ABOUT = {
    "compliance.ConsentRecord": {"subject", "action", "occurred_at", "expires_at", "evidence"},
    "compliance.ConsentState": {"subject", "action", "occurred_at", "expires_at", "record"},
    "compliance.IdempotencyRecord": {"body"},
    "compliance.PropagationTask": {"record"},
    "compliance.SubjectRequest": {"subject", "kind", "received_at", "answer"},
    "compliance.Subject": {"uid", "wrapped_key", "erased_at", "merged_into"},
    "segments.Event": {"profile", "occurred_at", "name", "amount", "category", "properties"},
    "segments.Identity": {"profile"},
    "segments.JoinReview": {"profile", "other", "shared_kinds", "contradicting_kinds", "state", "note"},
    "segments.MergedEvent": {"merge", "occurred_at"},
    "segments.Profile": {
        "subject", "gender", "birth_date", "language", "country", "region", "city", "timezone", "attributes",
        "merged_into",
    },
    "segments.ProfileMerge": {
        "survivor", "absorbed", "shared_kinds", "note", "events_moved", "identities_moved", "merged_at", "undone_at",
        "undone_note",
    },
    "segments.ProfileStats": {
        "profile", "event_count", "first_event_at", "last_event_at", "order_count", "order_amount", "first_order_at",
        "last_order_at", "rfm_recency", "rfm_frequency", "rfm_monetary",
    },
    "segments.PendingGain": {"profile", "tag", "category", "occurred_at", "gain"},
    "segments.ProfileTag": {
        "profile", "tag", "group", "weight", "weighed_at", "confidence", "evidence", "assigned_at", "expires_at",
    },
    "segments.QuarantinedEvent": {"profile", "occurred_at", "name"},
    "segments.SegmentChange": {"segment", "profile", "kind", "cause", "version", "at"},
    "segments.SegmentMembership": {"segment", "profile", "entered_at"},
    "segments.TagExclusion": {"profile", "tag", "reason", "excluded_at"},
    "segments.Touch": {"profile", "cause", "touched_at"},
    "campaigns.Delivery": {"profile", "state", "reason", "sent_at", "error"},
    "campaigns.InboxMessage": {"profile", "created_at", "read_at"},
}  # fmt: skip
NONE = {
    "compliance.ApiClient": {
        "id", "client_id", "user", "redirect_uris", "post_logout_redirect_uris", "client_type",
        "authorization_grant_type", "client_secret", "hash_client_secret", "name", "skip_authorization", "created",
        "updated", "algorithm", "allowed_origins", "registration_source", "cimd_expires_at", "scopes",
    },
    "compliance.AuditLeaf": {
        "id", "data", "leaf_hash", "action", "actor", "object_type", "object_id", "recorded_at",
    },
    "compliance.Checkpoint": {"id", "tree_size", "root_hash", "peaks", "note", "created_at"},
    "compliance.ConsentRecord": {
        "id", "uid", "purpose", "channel", "method", "notice", "source", "recorded_at", "recorded_by",
    },
    "compliance.ConsentState": {"id", "purpose", "channel"},
    "compliance.IdempotencyRecord": {"id", "client", "key", "request_sha256", "status", "created_at"},
    "compliance.DownstreamSystem": {
        "id", "key", "name", "url", "secret_encrypted", "client", "wants_consents", "is_active", "created_at",
    },
    "compliance.PropagationTask": {
        "id", "uid", "system", "state", "created_at", "deadline_at", "due_at", "attempts", "error", "told_at",
        "acknowledged_at", "escalated_at",
    },
    "compliance.SubjectRequest": {
        "id", "uid", "state", "source", "due_at", "identity_checked_at", "identity_checked_by", "closed_at",
        "closed_by",
    },
    "compliance.Notice": {"id", "purpose", "version", "language", "text", "text_sha256", "published_at"},
    "compliance.Purpose": {"id", "key", "name", "description", "is_active"},
    "compliance.SealedLeaf": {"index", "leaf"},
    "compliance.Subject": {"id", "created_at"},
    "compliance.Suppression": {
        "id", "channel", "purpose", "reason", "source", "created_at", "created_by", "lifted_at", "lifted_by",
        "lifted_note",
    },
    "segments.AttributeType": {"id", "key", "description", "type"},
    "segments.CleaningRule": {
        "id", "name", "position", "target", "source", "event_names", "field", "action", "parameters", "is_active",
        "created_at",
    },
    "segments.EventType": {"id", "name", "description", "properties"},
    "segments.QualityDay": {
        "id", "source", "day", "received", "valid", "unique", "asked_complete", "complete", "asked_timely", "timely",
        "held",
    },
    "segments.QualityStandard": {"source", "event_fields", "profile_fields", "lateness_hours"},
    "segments.QuarantinedEvent": {
        "id", "dedup", "source", "rule", "field", "reason", "received_at", "state", "decided_at", "decided_by",
    },
    "segments.Event": {"id", "dedup", "source", "currency", "received_at"},
    "segments.Identity": {"id", "kind", "is_primary", "created_at"},
    "segments.ImportJob": {
        "id", "uid", "kind", "source", "file_name", "fingerprint", "mapping", "state", "error", "rows_total",
        "rows_done", "accepted", "duplicates", "rejected", "held", "started_at", "finished_at",
    },
    "segments.JoinReview": {
        "id", "uid", "source", "inputs", "created_at", "last_at", "decided_at", "decided_by",
    },
    "segments.MergedEvent": {"id", "dedup"},
    "segments.Profile": {"created_at", "updated_at"},
    "segments.ProfileMerge": {"id", "uid", "cause", "merged_by", "undone_by"},
    "segments.ProfileStats": {"rfm_at"},
    "segments.PendingGain": {"id"},
    "segments.ProfileTag": {"id", "source", "is_given"},
    "segments.RejectedRow": {"id", "job", "row_number", "field", "reason"},
    "segments.Segment": {
        "id", "uid", "key", "name", "description", "kind", "definition", "version", "is_active", "member_count",
        "refreshed_at", "refreshed_version", "checked_at", "taken_at", "created_at",
    },
    "segments.SegmentChange": {"id"},
    "segments.SegmentMembership": {"id"},
    "segments.SegmentSize": {"id", "segment", "day", "members", "entered", "left"},
    "segments.SegmentUpload": {"job", "segment", "mode", "uploaded_by", "entered", "left"},
    "campaigns.FrequencyCap": {
        "id", "name", "segment", "channel", "most", "periods", "unit", "clock", "action", "is_active",
    },
    "campaigns.QuietHours": {"id", "channel", "hours", "is_active"},
    "campaigns.SendWindow": {"id", "name", "hours", "weekdays"},
    "segments.SegmentVersion": {"id", "segment", "version", "definition", "created_at", "created_by"},
    "segments.Source": {"id", "key", "name", "created_at"},
    "segments.Touch": {"id"},
    "segments.Tag": {
        "id", "key", "name", "layer", "parent", "description", "kind", "is_active", "position", "path", "is_exclusive",
        "rule", "event_name", "measure", "output", "minimum", "window_days", "half_life_days", "floor", "category",
        "given_weight", "given_confidence", "expires_after_days", "rhythm", "crontab", "due_at", "started_at",
        "computed_at", "clock_at", "error", "people", "advice_content", "advice_per_week", "advice_channel",
    },
    "segments.TagBoost": {"id", "tag", "factor", "goal", "starts_at", "ends_at", "created_at"},
    "segments.TagExclusion": {"id", "excluded_by"},
    "segments.TagGain": {"id", "tag", "event_name", "gain"},
    "segments.TagParameter": {"id", "tag", "name", "value", "description"},
    "campaigns.Batch": {
        "id", "run", "step", "wave", "first_profile", "last_profile", "due_at", "state", "lease_until", "claimed_by",
        "attempts",
    },
    "campaigns.Campaign": {
        "id", "uid", "key", "name", "purpose", "segment", "template", "channel", "kind", "scheduled_at", "state",
        "created_at", "submitted_at", "submitted_by", "approved_at", "approved_by", "approved_content", "minute",
        "hour", "day_of_month", "month_of_year", "day_of_week", "timezone", "starts_at", "ends_at", "may_overlap",
        "next_at", "send_window", "latest_hours",
    },
    "campaigns.Delivery": {
        "id", "run", "step", "wave", "month", "channel", "due_at", "put_off_from", "attempts", "changed_at",
    },
    "campaigns.InboxMessage": {"id", "uid", "delivery_key", "expires_at", "taken_down_at"},
    "campaigns.MessageTemplate": {
        "id", "key", "name", "kind", "language", "subject", "text", "html", "updated_at",
    },
    "campaigns.Run": {
        "id", "uid", "campaign", "scheduled_at", "state", "reason", "content", "timing", "planned", "excluded",
        "created_at",
        "planned_at", "finished_at",
    },
    "campaigns.SendingChannel": {
        "id", "key", "name", "kind", "adapter", "from_name", "from_address", "config", "credential_encrypted",
        "max_length", "optout_text", "batch_size", "is_active", "last_success_at", "last_error_at", "last_error",
    },
}  # fmt: skip
