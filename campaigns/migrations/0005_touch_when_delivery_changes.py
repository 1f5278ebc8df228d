"""A delivery that becomes one that counts as received, or is none any more, leaves a touch of the person.

Once for a statement, and only while a rule asks for deliveries: a campaign to a million writes no touch that nobody
reads. Planning inserts deliveries, but none is inserted as sent, so inserting pays nothing. The states are those of
`campaigns.conditions.RECEIVED`.
"""

from django.db import migrations

TOUCH = """
CREATE FUNCTION campaigns_touch_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM after WHERE state IN ('sent', 'delivered'))
        AND NOT EXISTS (SELECT FROM before WHERE state IN ('sent', 'delivered'))
        OR NOT segments_any_rule_has('$.**.delivery') THEN
        RETURN NULL;
    END IF;
    PERFORM segments_touch_people(ARRAY(
        SELECT DISTINCT profile_id FROM ((
            SELECT id, profile_id, run_id, sent_at FROM before WHERE state IN ('sent', 'delivered')
            EXCEPT SELECT id, profile_id, run_id, sent_at FROM after WHERE state IN ('sent', 'delivered')
        ) UNION ALL (
            SELECT id, profile_id, run_id, sent_at FROM after WHERE state IN ('sent', 'delivered')
            EXCEPT SELECT id, profile_id, run_id, sent_at FROM before WHERE state IN ('sent', 'delivered')
        )) changed LIMIT 5001
    ), 'delivery');
    RETURN NULL;
END $$;
CREATE TRIGGER campaigns_touch_delivery AFTER UPDATE ON campaigns_delivery
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION campaigns_touch_delivery();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0004_delivery_sent_at_index'),
        ('segments', '0012_touch_when_consent_changes'),
    ]

    operations = [
        migrations.RunSQL(
            TOUCH,
            "DROP TRIGGER campaigns_touch_delivery ON campaigns_delivery; DROP FUNCTION campaigns_touch_delivery();",
        ),
    ]
