"""What the tests of codes and their pages share."""

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import Permission, User

from qrcodes import codes
from qrcodes.models import QRCode
from tests.factories import QRCodeFactory, UserFactory


def make_code(**fields) -> QRCode:
    now = datetime.now(UTC)
    dates = {"created_at": now - timedelta(days=1), "expires_at": now + timedelta(days=30)}
    code = QRCodeFactory(**dates | fields)
    code.token = codes.make_token(code.campaign_id, code.customer_id)
    code.short_code_hash = codes.short_code_hash(codes.short_code_of(code.token))
    code.save()
    return code


def staff_with(*rights: str, **fields) -> User:
    user = UserFactory(is_staff=False, **fields)
    for right in rights:
        app, codename = right.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return user
