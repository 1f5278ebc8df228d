"""Free room on each page of statistics: a changed row stays on its page, and the index needs no new entry."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('segments', '0012_touch_when_consent_changes'),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE segments_profilestats SET (fillfactor = 80)",
            "ALTER TABLE segments_profilestats RESET (fillfactor)",
        ),
    ]
