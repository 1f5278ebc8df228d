"""Whoever changes a state of consent, by whatever way, leaves a touch of the person in the same transaction.

By triggers, since compliance knows nothing of segments, and since no way of writing may be forgotten. They run once for
a statement. 5000 is `segments.services.touches.VAST`.
"""

from django.db import migrations

# Of other changes, too (campaigns uses them): touches of people by their ids, of the survivors of merges, or of
# everybody when they are very many; and whether any rule that is followed holds what a path leads to.
SHARED = """
CREATE FUNCTION segments_touch_people(people bigint[], why text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO segments_touch (profile_id, cause, touched_at)
    SELECT DISTINCT coalesce(p.merged_into_id, p.subject_id), why, statement_timestamp()
    FROM segments_profile p WHERE cardinality(people) <= 5000 AND p.subject_id = ANY(people)
    UNION ALL
    SELECT NULL, why, statement_timestamp() WHERE cardinality(people) > 5000
$$;
CREATE FUNCTION segments_any_rule_has(place jsonpath) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM segments_segment WHERE is_active AND kind = 'dynamic' AND jsonb_path_exists(definition, place)
    ) OR EXISTS (
        SELECT FROM segments_tag WHERE is_active AND jsonb_path_exists(rule, place)
    )
$$;
"""
# A row that says the same as before changes no answer; among very many rows that is not looked for. No statement joins:
# its plan is made at the first call of a session, when rows are few, and kept for millions.
CONSENT = """
CREATE FUNCTION segments_touch_consent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    people bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        people := ARRAY(SELECT DISTINCT subject_id FROM after LIMIT 5001);
    ELSIF TG_OP = 'DELETE' THEN
        people := ARRAY(SELECT DISTINCT subject_id FROM before LIMIT 5001);
    ELSE
        people := ARRAY(SELECT subject_id FROM after LIMIT 5001);
        IF cardinality(people) <= 5000 THEN
            people := ARRAY(
                SELECT DISTINCT subject_id FROM ((
                    SELECT subject_id, purpose_id, channel, action, expires_at FROM before
                    EXCEPT SELECT subject_id, purpose_id, channel, action, expires_at FROM after
                ) UNION ALL (
                    SELECT subject_id, purpose_id, channel, action, expires_at FROM after
                    EXCEPT SELECT subject_id, purpose_id, channel, action, expires_at FROM before
                )) changed
            );
        END IF;
    END IF;
    PERFORM segments_touch_people(people, 'consent');
    RETURN NULL;
END $$;
CREATE TRIGGER segments_touch_given AFTER INSERT ON compliance_consentstate
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION segments_touch_consent();
CREATE TRIGGER segments_touch_changed AFTER UPDATE ON compliance_consentstate
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION segments_touch_consent();
CREATE TRIGGER segments_touch_gone AFTER DELETE ON compliance_consentstate
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION segments_touch_consent();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('segments', '0011_segment_checked_at'),
        ('compliance', '0004_merged_subjects'),
    ]

    operations = [
        migrations.RunSQL(
            SHARED, "DROP FUNCTION segments_touch_people(bigint[], text), segments_any_rule_has(jsonpath);"
        ),
        migrations.RunSQL(
            CONSENT,
            """
            DROP TRIGGER segments_touch_given ON compliance_consentstate;
            DROP TRIGGER segments_touch_changed ON compliance_consentstate;
            DROP TRIGGER segments_touch_gone ON compliance_consentstate;
            DROP FUNCTION segments_touch_consent();
            """,
        ),
    ]
