"""A table partitioned by month, which Django cannot declare: made by SQL, told to Django as state."""

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

CREATE = """
CREATE SEQUENCE campaigns_delivery_id_seq AS bigint;
CREATE TABLE campaigns_delivery (
    id bigint NOT NULL DEFAULT nextval('campaigns_delivery_id_seq'),
    run_id bigint NOT NULL,
    profile_id bigint NOT NULL,
    step smallint NOT NULL CHECK (step >= 0),
    month date NOT NULL,
    channel varchar(12) NOT NULL,
    state varchar(12) NOT NULL,
    reason varchar(64) NOT NULL,
    address_digest bytea,
    due_at timestamptz NOT NULL,
    attempts smallint NOT NULL CHECK (attempts >= 0),
    changed_at timestamptz NOT NULL,
    sent_at timestamptz,
    error varchar(240) NOT NULL,
    CONSTRAINT delivery_key UNIQUE (run_id, profile_id, step, month)
) PARTITION BY RANGE (month);
ALTER SEQUENCE campaigns_delivery_id_seq OWNED BY campaigns_delivery.id;
CREATE INDEX delivery_id_brin ON campaigns_delivery USING brin (id);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0001_initial'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, "DROP TABLE campaigns_delivery;")],
            state_operations=[
                migrations.CreateModel(
                    name='Delivery',
                    fields=[
                        ('id', models.BigAutoField(primary_key=True, serialize=False)),
                        ('step', models.PositiveSmallIntegerField(default=0, verbose_name='step')),
                        ('month', models.DateField(verbose_name='month')),
                        ('channel', models.CharField(choices=[('email', 'E-mail'), ('sms', 'SMS'), ('push', 'App push'), ('wechat', 'WeChat'), ('inapp', 'In-app message'), ('webhook', 'Webhook')], max_length=12, verbose_name='channel')),
                        ('state', models.CharField(choices=[('excluded', 'Left out'), ('planned', 'Planned'), ('claimed', 'Being sent'), ('sent', 'Sent'), ('failed', 'Failed'), ('unknown', 'Unknown: may have been sent'), ('delivered', 'Delivered'), ('bounced', 'Bounced'), ('cancelled', 'Cancelled')], max_length=12, verbose_name='state')),
                        ('reason', models.CharField(blank=True, max_length=64, verbose_name='reason')),
                        ('address_digest', models.BinaryField(max_length=32, null=True, verbose_name='address digest')),
                        ('due_at', models.DateTimeField(verbose_name='due at')),
                        ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                        ('changed_at', models.DateTimeField(verbose_name='changed at')),
                        ('sent_at', models.DateTimeField(null=True, verbose_name='sent at')),
                        ('error', models.CharField(blank=True, max_length=240, verbose_name='error')),
                        ('profile', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='deliveries', to='segments.profile', verbose_name='profile')),
                        ('run', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='deliveries', to='campaigns.run', verbose_name='run')),
                    ],
                    options={
                        'verbose_name': 'delivery',
                        'verbose_name_plural': 'deliveries',
                    },
                ),
                migrations.AddIndex(
                    model_name='delivery',
                    index=django.contrib.postgres.indexes.BrinIndex(fields=['id'], name='delivery_id_brin'),
                ),
                migrations.AddConstraint(
                    model_name='delivery',
                    constraint=models.UniqueConstraint(fields=('run', 'profile', 'step', 'month'), name='delivery_key'),
                ),
            ],
        ),
    ]
