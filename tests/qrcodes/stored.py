"""What the tests of codes and their pages share."""

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import Permission, User

from qrcodes.models import QRCode
from tests.factories import QRCodeFactory, UserFactory


def make_code(**fields) -> QRCode:
    """A code that was made yesterday, as the database would give it back."""
    now = datetime.now(UTC)
    dates = {"created_at": now - timedelta(days=1), "expires_at": now + timedelta(days=30)}
    code = QRCodeFactory(**dates | fields)
    code.refresh_from_db()
    return code


def staff_with(*rights: str, **fields) -> User:
    user = UserFactory(is_staff=False, **fields)
    for right in rights:
        app, codename = right.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return user
