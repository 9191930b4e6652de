import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Now

STATUSES = [
    ("waiting", "Waiting"),
    ("sending", "Being sent"),
    ("sent", "Sent"),
    ("failed", "Failed"),
    ("unconfirmed", "Unconfirmed"),
]


def settle_old_tests(apps, schema_editor):
    """Before this, a test was sent within its request: none of them waits."""
    tests = apps.get_model("campaigns", "TestSend").objects
    tests.exclude(sent_at=None).update(status="sent")
    tests.filter(sent_at=None).update(status="failed")


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0010_series"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            "testsend",
            "requested_by",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            "testsend", "batch", models.UUIDField(db_index=True, default=uuid.uuid4)
        ),
        migrations.AddField(
            "testsend",
            "status",
            models.CharField(choices=STATUSES, default="waiting", max_length=11),
        ),
        # The database's clock decides whose turn it is and what is too late.
        migrations.AlterField(
            "testsend", "created_at", models.DateTimeField(db_default=Now(), editable=False)
        ),
        migrations.AddField("testsend", "not_before", models.DateTimeField(null=True)),
        migrations.AddField("testsend", "lease_token", models.UUIDField(null=True)),
        migrations.AddField("testsend", "lease_until", models.DateTimeField(null=True)),
        migrations.AddField("testsend", "call_started_at", models.DateTimeField(null=True)),
        migrations.RunPython(settle_old_tests, migrations.RunPython.noop, elidable=True),
        migrations.AddIndex(
            "testsend",
            models.Index(
                fields=["channel", "id"],
                condition=models.Q(status__in=["waiting", "sending"]),
                name="test_send_open",
            ),
        ),
    ]
