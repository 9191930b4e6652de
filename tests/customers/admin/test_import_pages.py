import csv
import io
import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.environment import make_key, read_encryption_keys
from customers.admin import import_pages
from customers.imports.run_import import run_import
from customers.models import ConsentEvent, Customer, CustomerImport, ImportPart
from tests.customers.lists import checked, imported, uploaded
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/customerimport/"
ADD = f"{LIST}add/"
SHOP = (
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Phone,Accepts SMS Marketing,"
    "Favourite Pizza,Tags\n"
    "'1,Anna,Meier,anna@example.com,yes,0151 23456781,no,Funghi,vip\n"
    "'2,Bert,Huber,nonsense,no,,no,Margherita,\n"
    "'3,Cleo,Busch,cleo@example.com,no,,no,Marinara,two words\n"
)


@pytest.fixture
def asked(monkeypatch) -> list[int]:
    """The imports that a worker was asked to run."""
    ids: list[int] = []
    monkeypatch.setattr(
        "customers.imports.lease.current_app.send_task", lambda name, args: ids.extend(args)
    )
    return ids


def upload(client: Client, content: bytes | str = SHOP, name: str = "shop.csv"):
    data = content.encode() if isinstance(content, str) else content
    return client.post(ADD, {"file": SimpleUploadedFile(name, data)})


def page(customer_import: CustomerImport, name: str = "change") -> str:
    return f"{LIST}{customer_import.pk}/{name}/"


def chosen(client: Client, customer_import: CustomerImport, **changes: str) -> dict[str, str]:
    """What a browser would send from the page of columns."""
    form = client.get(page(customer_import)).context["form"]
    data = {name: form[name].initial or "" for name in form.fields}
    return {name: value for name, value in (data | changes).items() if value}


@pytest.mark.usefixtures("marketing")
class TestTheWay:
    def test_a_list_goes_in_step_by_step(
        self, client: Client, asked, django_capture_on_commit_callbacks
    ) -> None:
        answer = upload(client)
        customer_import = CustomerImport.objects.get()
        assert answer.status_code == 302
        assert answer["Location"] == page(customer_import)

        text = client.get(page(customer_import)).content.decode()
        assert "It looks like an export of Shopify" in text
        assert "anna@example.com" in text
        assert not Customer.objects.exists()

        data = chosen(client, customer_import, column_7="attribute", tags="spring")
        assert client.post(page(customer_import, "check"), data).status_code == 302
        customer_import.refresh_from_db()
        assert customer_import.status == "checked"
        text = client.get(page(customer_import)).content.decode()
        assert "<span>New customers</span><strong>1</strong>" in text
        assert "<span>Rejected</span><strong>2</strong>" in text
        assert "Line 3: The email address is not valid" in text
        assert "“two words” cannot be a tag" in text
        assert not Customer.objects.exists()

        with django_capture_on_commit_callbacks(execute=True):
            client.post(page(customer_import, "apply"))
        assert asked == [customer_import.pk]
        text = client.get(page(customer_import)).content.decode()
        assert "0 of 3 rows" in text

        run_import(import_id=customer_import.pk)
        anna = Customer.objects.get()
        assert (anna.external_id, anna.email) == ("1", "anna@example.com")
        assert anna.attributes == {"favourite_pizza": "Funghi"}
        assert (anna.email_subscribed, anna.sms_subscribed) == (True, False)
        assert sorted(tag.name for tag in anna.tags.all()) == ["spring", "vip"]
        text = client.get(page(customer_import)).content.decode()
        assert "shop.csv is in" in text

        rejects = client.get(page(customer_import, "rejects"))
        rows = csv.DictReader(
            io.StringIO(b"".join(rejects.streaming_content).decode("utf-8-sig"), newline="")
        )
        assert [row["reason"].partition(":")[0] for row in rows] == ["Line 3", "Line 4"]
        client.post(page(customer_import, "forget"))
        assert not ImportPart.objects.exists()
        assert client.get(page(customer_import, "rejects")).status_code == 302

    def test_a_large_list_is_checked_by_a_worker(
        self, client: Client, asked, monkeypatch, django_capture_on_commit_callbacks
    ) -> None:
        monkeypatch.setattr(import_pages, "CHECKED_AT_ONCE", 2)
        upload(client)
        customer_import = CustomerImport.objects.get()
        with django_capture_on_commit_callbacks(execute=True):
            client.post(page(customer_import, "check"), chosen(client, customer_import))
        assert asked == [customer_import.pk]
        customer_import.refresh_from_db()
        assert customer_import.status == "checking"
        assert "Checking shop.csv" in client.get(page(customer_import)).content.decode()

    def test_consent_can_be_stated_where_no_column_says_it(self, client: Client) -> None:
        upload(client, "Email,Phone\nanna@example.com,0151 23456781\n")
        customer_import = CustomerImport.objects.get()
        data = chosen(client, customer_import, consent_email="on")
        client.post(page(customer_import, "check"), data)
        customer_import.refresh_from_db()
        assert customer_import.consent == ["email"]
        client.post(page(customer_import, "apply"))
        run_import(import_id=customer_import.pk)
        assert ConsentEvent.objects.get().channel == "email"

    def test_one_can_go_back_and_choose_other_columns(self, client: Client) -> None:
        dry = checked(SHOP)
        client.post(page(dry, "columns"))
        data = chosen(client, dry, column_8="")
        assert "column_8" not in data
        client.post(page(dry, "check"), data)
        dry.refresh_from_db()
        assert "tags" not in dry.mapping
        assert dry.rejected == 1

    def test_the_page_moves_by_itself(self, client: Client) -> None:
        customer_import = uploaded(SHOP)
        client.post(page(customer_import, "apply"))
        text = client.get(page(customer_import)).content.decode()
        address = re.search(r'data-import-progress="([^"]+)"', text)[1]
        assert client.get(address).json() == {
            "status": "running",
            "rows_done": 0,
            "rows_total": 3,
            "text": "0 of 3 rows",
            "stalled": False,
        }
        run_import(import_id=customer_import.pk)
        assert client.get(address).json()["status"] == "done"

    def test_a_stalled_import_offers_to_ask_again(
        self, client: Client, asked, django_capture_on_commit_callbacks
    ) -> None:
        customer_import = uploaded(SHOP)
        client.post(page(customer_import, "apply"))
        with django_capture_on_commit_callbacks(execute=True):
            client.post(page(customer_import, "resume"))
        assert asked == []
        CustomerImport.objects.update(touched_at=timezone.now() - timedelta(minutes=1))
        assert client.get(page(customer_import, "progress")).json()["stalled"]
        with django_capture_on_commit_callbacks(execute=True):
            client.post(page(customer_import, "resume"))
        assert asked == [customer_import.pk]

    def test_discarding_deletes_the_file(self, client: Client) -> None:
        for customer_import in (uploaded(SHOP), checked(SHOP)):
            client.post(page(customer_import, "discard"))
            customer_import.refresh_from_db()
            assert customer_import.status == "discarded"
            assert client.get(page(customer_import)).status_code == 200
        assert not ImportPart.objects.exists()
        assert not Customer.objects.exists()

    def test_a_failed_import_says_why_and_can_go_on(self, client: Client, settings) -> None:
        customer_import = uploaded(SHOP)
        client.post(page(customer_import, "apply"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("customers.imports.run_import.merge_batch", lambda *a, **k: 1 / 0)
            run_import(import_id=customer_import.pk)
        text = client.get(page(customer_import)).content.decode()
        assert "An unexpected error stopped the import" in text
        assert "Go on with it" in text
        client.post(page(customer_import, "apply"))
        run_import(import_id=customer_import.pk)
        customer_import.refresh_from_db()
        assert customer_import.status == "done"


@pytest.mark.usefixtures("marketing")
class TestBadInput:
    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"", "empty"),
            (b"PK\x03\x04", "Excel workbook"),
            (b"%PDF-1.4", "no list"),
            (b"anna@example.com,Anna\n", "holds a customer, not the names"),
        ],
    )
    def test_a_file_that_cannot_be_read_is_told(
        self, client: Client, content: bytes, told: str
    ) -> None:
        answer = upload(client, content)
        assert answer.status_code == 200
        assert told in answer.content.decode()
        assert not CustomerImport.objects.exists()

    def test_no_file_is_told(self, client: Client) -> None:
        assert "field is required" not in client.get(ADD).content.decode()
        assert "field is required" in client.post(ADD).content.decode()

    def test_a_file_that_is_too_large_is_told(self, client: Client, settings) -> None:
        settings.IMPORT_MAX_BYTES = 1_000
        answer = upload(client, "email\n" + "a@example.com\n" * 100)
        assert "larger than 0.001 MB" in answer.content.decode()
        settings.IMPORT_MAX_BYTES = 1_000_000
        settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1_100_000
        answer = upload(client, "email\n" + "a@example.com\n" * 100_000)
        assert "larger than 1 MB" in answer.content.decode()
        assert not CustomerImport.objects.exists()

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"column_3": "", "column_5": "", "column_0": ""}, "No column was recognised"),
            ({"column_1": "email"}, "Two columns are mapped to “Email”"),
            ({"tags": "two words"}, "“two words” cannot be a tag"),
            ({"column_1": "password"}, "not one of the available choices"),
        ],
    )
    def test_a_bad_choice_is_told(self, client: Client, changes: dict[str, str], told: str) -> None:
        upload(client)
        customer_import = CustomerImport.objects.get()
        data = chosen(client, customer_import, **changes)
        answer = client.post(page(customer_import, "check"), data)
        assert answer.status_code == 200
        assert told in answer.content.decode()
        customer_import.refresh_from_db()
        assert customer_import.status == "uploaded"

    def test_a_button_of_a_page_that_is_old_is_told(self, client: Client) -> None:
        done = imported("email\na@example.com\n")
        for button in ("apply", "columns", "discard"):
            answer = client.post(page(done, button), follow=True)
            assert "moved on" in answer.content.decode()
        done.refresh_from_db()
        assert done.status == "done"

    def test_an_import_that_is_none_is_told(self, client: Client) -> None:
        for name in ("change", "progress", "rejects"):
            answer = client.get(f"{LIST}999/{name}/", follow=True)
            assert "There is no such import" in answer.content.decode()

    def test_reading_never_acts(self, client: Client) -> None:
        dry = checked(SHOP)
        for button in ("apply", "columns", "discard", "forget", "check", "resume"):
            assert client.get(page(dry, button)).status_code == 302
        dry.refresh_from_db()
        assert dry.status == "checked"

    def test_a_missing_key_is_told_without_going_in_circles(self, client: Client, settings) -> None:
        customer_import = uploaded(SHOP)
        settings.FIELD_ENCRYPTION_KEYS = read_encryption_keys("X", f"k9:{make_key()}")
        answer = client.get(page(customer_import), follow=True)
        assert "FIELD_ENCRYPTION_KEYS" in answer.content.decode()


class TestRights:
    @pytest.mark.parametrize(
        "rights",
        [
            ("view_customer",),
            ("view_customer", "view_customerimport", "change_customer"),
            ("add_customer", "change_customer"),
        ],
    )
    def test_who_may_not_import_gets_nowhere(self, client: Client, login, rights) -> None:
        login(*rights)
        customer_import = uploaded(SHOP)
        assert upload(client).status_code == 403
        for name in ("change", "progress", "rejects"):
            assert client.get(page(customer_import, name)).status_code == 403
        for name in ("check", "apply", "discard", "columns", "resume", "forget"):
            assert client.post(page(customer_import, name)).status_code == 403
        customer_import.refresh_from_db()
        assert customer_import.status == "uploaded"

    def test_strangers_are_asked_to_sign_in(self, client: Client) -> None:
        customer_import = uploaded(SHOP)
        for name in ("change", "rejects"):
            assert "/login/" in client.get(page(customer_import, name))["Location"]
        assert "/login/" in client.post(page(customer_import, "apply"))["Location"]


@pytest.mark.usefixtures("marketing")
class TestHistory:
    def test_its_queries_do_not_grow_with_imports(self, client: Client) -> None:
        def count() -> int:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(LIST).status_code == 200
            return len(captured)

        upload(client)
        client.get(LIST)
        few = count()
        for _ in range(10):
            upload(client)
        assert count() == few

    def test_it_says_what_came_of_each(self, client: Client) -> None:
        imported("email\na@example.com\nnonsense\n")
        text = client.get(LIST).content.decode()
        assert "1 new, 1 rejected" in text
        assert "Done" in text

    def test_the_list_of_customers_leads_to_it(self, client: Client) -> None:
        CustomerFactory()
        assert (
            "/admin/customers/customer/import/"
            in client.get("/admin/customers/customer/").content.decode()
        )
        assert client.get("/admin/customers/customer/import/")["Location"] == ADD
