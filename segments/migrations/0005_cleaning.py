"""Cleaning rules with their default, quarantine, data quality, declared types; held rows of imports."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models
from django.utils import timezone


PRODUCT_VIEWS = {
    "name": "More than 1,000 product views a day by one person",
    "position": 1000,
    "target": "events",
    "event_names": ["product_view", "browse"],
    "field": "",
    "action": "hold",
    "parameters": {"per_day": 1000, "reason": "more than 1,000 product views of one person on one day"},
}


def add_default_rule(apps, schema_editor):
    """The rule that every installation starts with; staff may change it, switch it off or delete it."""
    apps.get_model("segments", "CleaningRule").objects.get_or_create(
        name=PRODUCT_VIEWS["name"], defaults={**PRODUCT_VIEWS, "created_at": timezone.now()}
    )


class Migration(migrations.Migration):

    dependencies = [
        ('segments', '0004_tags'),
    ]

    operations = [
        migrations.CreateModel(
            name='AttributeType',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64, unique=True, verbose_name='attribute')),
                ('description', models.TextField(blank=True, verbose_name='description')),
                ('type', models.CharField(choices=[('text', 'Text'), ('number', 'Number'), ('boolean', 'Yes or no'), ('time', 'Time')], max_length=12, verbose_name='type')),
            ],
            options={
                'verbose_name': 'attribute type',
                'verbose_name_plural': 'attribute types',
                'ordering': ['key'],
            },
        ),
        migrations.CreateModel(
            name='CleaningRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, unique=True, verbose_name='name')),
                ('position', models.PositiveIntegerField(db_index=True, default=0, verbose_name='order')),
                ('target', models.CharField(choices=[('events', 'Events'), ('profiles', 'Profiles')], max_length=12, verbose_name='applies to')),
                ('event_names', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, default=list, help_text='With commas between; empty: events of all names.', size=None, verbose_name='event names')),
                ('field', models.CharField(blank=True, max_length=80, verbose_name='field')),
                ('action', models.CharField(choices=[('normalise', 'Normalise a text'), ('map', 'Replace values by a table'), ('reject', 'Reject with a reason'), ('complete', 'Fill in what is missing'), ('hold', 'Hold for a decision')], max_length=12, verbose_name='action')),
                ('parameters', models.JSONField(verbose_name='parameters')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('created_at', models.DateTimeField(editable=False, verbose_name='created at')),
            ],
            options={
                'verbose_name': 'cleaning rule',
                'verbose_name_plural': 'cleaning rules',
                'ordering': ['position', 'id'],
            },
        ),
        migrations.CreateModel(
            name='EventType',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True, verbose_name='event name')),
                ('description', models.TextField(blank=True, verbose_name='description')),
                ('properties', models.JSONField(blank=True, default=dict, verbose_name='properties')),
            ],
            options={
                'verbose_name': 'event type',
                'verbose_name_plural': 'event types',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='QualityDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='day')),
                ('received', models.PositiveBigIntegerField(default=0, verbose_name='received')),
                ('valid', models.PositiveBigIntegerField(default=0, verbose_name='valid')),
                ('unique', models.PositiveBigIntegerField(default=0, verbose_name='unique')),
                ('asked_complete', models.PositiveBigIntegerField(default=0, verbose_name='asked for completeness')),
                ('complete', models.PositiveBigIntegerField(default=0, verbose_name='complete')),
                ('asked_timely', models.PositiveBigIntegerField(default=0, verbose_name='asked for timeliness')),
                ('timely', models.PositiveBigIntegerField(default=0, verbose_name='timely')),
                ('held', models.PositiveBigIntegerField(default=0, verbose_name='held')),
            ],
            options={
                'verbose_name': 'data quality of a day',
                'verbose_name_plural': 'data quality',
                'ordering': ['-day', 'source'],
            },
        ),
        migrations.CreateModel(
            name='QualityStandard',
            fields=[
                ('source', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='quality_standard', serialize=False, to='segments.source', verbose_name='source')),
                ('event_fields', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=80), blank=True, default=list, help_text='With commas between, such as category,properties.sku; empty: completeness is not asked.', size=None, verbose_name='fields of a complete event')),
                ('profile_fields', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=80), blank=True, default=list, help_text='With commas between, such as city,attributes.income; empty: completeness is not asked.', size=None, verbose_name='fields of a complete profile')),
                ('lateness_hours', models.PositiveIntegerField(blank=True, default=24, help_text='From when it happened to when it was received; empty: timeliness is not asked.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(8784)], verbose_name='hours until an event is late')),
            ],
            options={
                'verbose_name': 'quality standard',
                'verbose_name_plural': 'quality standards',
                'ordering': ['source'],
            },
        ),
        migrations.CreateModel(
            name='QuarantinedEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('occurred_at', models.DateTimeField(verbose_name='occurred at')),
                ('dedup', models.UUIDField(editable=False, verbose_name='hash of source and event id')),
                ('name', models.CharField(max_length=64, verbose_name='event')),
                ('field', models.CharField(max_length=80, verbose_name='field')),
                ('reason', models.CharField(max_length=240, verbose_name='reason')),
                ('event_encrypted', models.BinaryField(verbose_name='event as it came')),
                ('received_at', models.DateTimeField(verbose_name='received at')),
                ('state', models.CharField(choices=[('held', 'Held'), ('accepted', 'Accepted'), ('rejected', 'Rejected')], db_index=True, default='held', max_length=12, verbose_name='state')),
                ('decided_at', models.DateTimeField(null=True, verbose_name='decided at')),
                ('decided_by', models.CharField(blank=True, max_length=200, verbose_name='decided by')),
            ],
            options={
                'verbose_name': 'quarantined event',
                'verbose_name_plural': 'quarantine',
                'ordering': ['-id'],
                'permissions': [('decide_quarantinedevent', 'Can accept or reject quarantined events')],
            },
        ),
        migrations.RemoveConstraint(
            model_name='importjob',
            name='import_job_rows_add_up',
        ),
        migrations.AddField(
            model_name='importjob',
            name='held',
            field=models.PositiveBigIntegerField(default=0, help_text='waiting in quarantine', verbose_name='held'),
        ),
        migrations.AddConstraint(
            model_name='importjob',
            constraint=models.CheckConstraint(condition=models.Q(('rows_done', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('accepted'), '+', models.F('duplicates')), '+', models.F('rejected')), '+', models.F('held')))), name='import_job_rows_add_up'),
        ),
        migrations.AddConstraint(
            model_name='attributetype',
            constraint=models.CheckConstraint(condition=models.Q(('key__regex', '^[A-Za-z][A-Za-z0-9_]{0,63}$')), name='attribute_type_key_is_plain'),
        ),
        migrations.AddField(
            model_name='cleaningrule',
            name='source',
            field=models.ForeignKey(blank=True, help_text='Empty: data of all sources.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='segments.source', verbose_name='source'),
        ),
        migrations.AddConstraint(
            model_name='eventtype',
            constraint=models.CheckConstraint(condition=models.Q(('name__regex', '^[a-z][a-z0-9_]{0,63}$')), name='event_type_name_is_plain'),
        ),
        migrations.AddField(
            model_name='qualityday',
            name='source',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='quality_days', to='segments.source', verbose_name='source'),
        ),
        migrations.AddConstraint(
            model_name='qualitystandard',
            constraint=models.CheckConstraint(condition=models.Q(('lateness_hours__isnull', True), ('lateness_hours__range', (1, 8784)), _connector='OR'), name='quality_standard_lateness_is_hours'),
        ),
        migrations.AddField(
            model_name='quarantinedevent',
            name='profile',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='quarantined_events', to='segments.profile', verbose_name='profile'),
        ),
        migrations.AddField(
            model_name='quarantinedevent',
            name='rule',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='segments.cleaningrule', verbose_name='rule'),
        ),
        migrations.AddField(
            model_name='quarantinedevent',
            name='source',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='segments.source', verbose_name='source'),
        ),
        migrations.AddConstraint(
            model_name='cleaningrule',
            constraint=models.CheckConstraint(condition=models.Q(('target', 'events'), ('event_names', []), _connector='OR'), name='cleaning_rule_event_names_only_for_events'),
        ),
        migrations.AddConstraint(
            model_name='cleaningrule',
            constraint=models.CheckConstraint(condition=models.Q(('target', 'events'), models.Q(('action', 'hold'), _negated=True), _connector='OR'), name='cleaning_rule_holds_events_only'),
        ),
        migrations.AddConstraint(
            model_name='cleaningrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('field', ''), _negated=True), ('action', 'hold'), _connector='OR'), name='cleaning_rule_names_a_field'),
        ),
        migrations.AddConstraint(
            model_name='qualityday',
            constraint=models.UniqueConstraint(fields=('source', 'day'), name='quality_day_once'),
        ),
        migrations.AddConstraint(
            model_name='qualityday',
            constraint=models.CheckConstraint(condition=models.Q(('valid__lte', models.F('received'))), name='quality_day_valid_were_received'),
        ),
        migrations.AddConstraint(
            model_name='qualityday',
            constraint=models.CheckConstraint(condition=models.Q(('asked_complete__lte', models.F('valid')), ('asked_timely__lte', models.F('valid')), ('complete__lte', models.F('asked_complete')), ('held__lte', models.F('valid')), ('timely__lte', models.F('asked_timely')), ('unique__lte', models.F('valid'))), name='quality_day_parts_were_valid'),
        ),
        migrations.AddConstraint(
            model_name='quarantinedevent',
            constraint=models.UniqueConstraint(fields=('profile', 'occurred_at', 'dedup'), name='quarantined_event_key'),
        ),
        migrations.AddConstraint(
            model_name='quarantinedevent',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('decided_by', ''), ('state', 'held')), models.Q(('decided_at__isnull', False), ('state__in', ['accepted', 'rejected']), models.Q(('decided_by', ''), _negated=True)), _connector='OR'), name='quarantined_event_decided_by_someone'),
        ),
        migrations.RunPython(add_default_rule, migrations.RunPython.noop),
    ]
