"""The key of a quarantined event leaves the person out, who may be merged with another while it waits."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('segments', '0005_cleaning'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='quarantinedevent',
            name='quarantined_event_key',
        ),
        migrations.AlterField(
            model_name='quarantinedevent',
            name='profile',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='quarantined_events', to='segments.profile', verbose_name='profile'),
        ),
        migrations.AddConstraint(
            model_name='quarantinedevent',
            constraint=models.UniqueConstraint(fields=('dedup', 'occurred_at'), name='quarantined_event_key'),
        ),
    ]
