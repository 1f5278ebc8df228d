"""A table partitioned by month, which Django cannot declare: made by SQL, told to Django as state."""

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

CREATE = """
CREATE SEQUENCE segments_event_id_seq AS bigint;
CREATE TABLE segments_event (
    id bigint NOT NULL DEFAULT nextval('segments_event_id_seq'),
    profile_id bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    dedup uuid NOT NULL,
    name varchar(64) NOT NULL,
    source_id bigint NOT NULL,
    amount numeric(14, 2),
    currency varchar(3) NOT NULL,
    category varchar(80) NOT NULL,
    properties jsonb,
    received_at timestamptz NOT NULL,
    CONSTRAINT event_key UNIQUE (profile_id, occurred_at, dedup)
) PARTITION BY RANGE (occurred_at);
ALTER SEQUENCE segments_event_id_seq OWNED BY segments_event.id;
CREATE INDEX event_id_brin ON segments_event USING brin (id);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('segments', '0001_initial'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, "DROP TABLE segments_event;")],
            state_operations=[
                migrations.CreateModel(
                    name='Event',
                    fields=[
                        ('id', models.BigAutoField(primary_key=True, serialize=False)),
                        ('occurred_at', models.DateTimeField(verbose_name='occurred at')),
                        ('dedup', models.UUIDField(editable=False, verbose_name='hash of source and event id')),
                        ('name', models.CharField(max_length=64, verbose_name='event')),
                        ('amount', models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True, verbose_name='amount')),
                        ('currency', models.CharField(blank=True, help_text='ISO 4217', max_length=3, verbose_name='currency')),
                        ('category', models.CharField(blank=True, max_length=80, verbose_name='category')),
                        ('properties', models.JSONField(blank=True, null=True, verbose_name='properties')),
                        ('received_at', models.DateTimeField(verbose_name='received at')),
                    ],
                    options={
                        'verbose_name': 'event',
                        'verbose_name_plural': 'events',
                    },
                ),
                migrations.AddField(
                    model_name='event',
                    name='profile',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='segments.profile', verbose_name='profile'),
                ),
                migrations.AddField(
                    model_name='event',
                    name='source',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='segments.source', verbose_name='source'),
                ),
                migrations.AddIndex(
                    model_name='event',
                    index=django.contrib.postgres.indexes.BrinIndex(fields=['id'], name='event_id_brin'),
                ),
                migrations.AddConstraint(
                    model_name='event',
                    constraint=models.UniqueConstraint(fields=('profile', 'occurred_at', 'dedup'), name='event_key'),
                ),
            ],
        ),
    ]
