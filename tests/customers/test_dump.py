"""A dump of the database shows no address and no number, whatever was done (C-2)."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from customers.imports.run_import import run_import
from customers.models import Customer, CustomerImport
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

# Every form in which an address comes in here, and the forms it could be stored in.
SECRETS = [
    "anna.secret",
    "bert.secret",
    "cleo.secret",
    "dora.secret",
    "23456781",
    "23456782",
    "23456783",
    "234-567",
]
LIST = (
    "Email,Phone,First Name,External ID\n"
    "Anna.Secret@example.com,0151 23456781,Anna,T1\n"
    "bert.secret@example.com,+49 151 23456782,Bert,T2\n"
    "cleo.secret@example,0151 234-567,Cleo,\n"
    "dora.secret@example.com,,dora.secret@example.com,\n"
)


def dump() -> str:
    """Every cell of every table, as text; ciphertexts too."""
    cells: list[str] = []
    tables = connection.introspection.table_names()
    assert {"customers_customer", "django_admin_log", "django_session"} <= set(tables)
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                for cell in row:
                    if isinstance(cell, memoryview | bytes):
                        cells.append(bytes(cell).decode("latin-1"))
                    else:
                        cells.append(str(cell))
    return "\n".join(cells).lower()


def assert_clean() -> None:
    text = dump()
    for secret in SECRETS:
        assert secret not in text, f"{secret} is in the database"


def test_the_dump_would_show_an_address() -> None:
    UserFactory(username="anna.secret")
    with pytest.raises(AssertionError):
        assert_clean()


def test_nothing_shows_from_upload_to_erasing(client: Client) -> None:
    client.force_login(UserFactory(is_superuser=True))
    base = "/admin/customers/customerimport/"
    client.post(
        f"{base}add/", {"file": SimpleUploadedFile("anna.secret@example.com.csv", LIST.encode())}
    )
    customer_import = CustomerImport.objects.get()
    page = f"{base}{customer_import.pk}/"
    assert_clean()
    form = client.get(f"{page}change/").context["form"]
    columns = {name: form[name].initial for name in form.fields if form[name].initial}
    client.post(f"{page}check/", columns)
    client.get(f"{page}change/")
    assert_clean()
    client.post(f"{page}apply/")
    run_import(import_id=customer_import.pk)
    customer_import.refresh_from_db()
    assert (customer_import.created, customer_import.rejected) == (2, 2)
    assert_clean()

    anna = Customer.objects.get(external_id="T1")
    change = f"/admin/customers/customer/{anna.pk}/change/"
    answer = client.post(
        change,
        {
            "email": "dora.secret@example.com",
            "phone": "0151 23456783",
            "tag_names": "vip",
            "attributes": "{}",
            "consent_events-TOTAL_FORMS": "0",
            "consent_events-INITIAL_FORMS": "0",
        },
    )
    assert answer.status_code == 302
    anna.refresh_from_db()
    assert anna.email == "dora.secret@example.com"
    assert_clean()
    client.post(change, {"email": "bert.secret@example.com"})  # taken
    client.get("/admin/customers/customer/", {"q": "bert.secret@example.com"})
    client.get(f"/admin/customers/customer/{anna.pk}/export/")
    assert_clean()
    client.post(f"/admin/customers/customer/{anna.pk}/erase/")
    anna.refresh_from_db()
    assert anna.erased_at
    assert_clean()
