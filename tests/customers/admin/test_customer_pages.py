import csv
import io
import json

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config.environment import make_key, read_encryption_keys
from customers.consent import record_consent
from customers.erase_customer import erase_customer
from customers.models import ConsentEvent, Customer, CustomerTag
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/customer/"
ADD = f"{LIST}add/"
MANAGEMENT = {
    "consent_events-TOTAL_FORMS": "0",
    "consent_events-INITIAL_FORMS": "0",
}


def page_of(customer: Customer) -> str:
    return f"{LIST}{customer.pk}/change/"


def listed(client: Client, **query) -> list[Customer]:
    answer = client.get(LIST, query)
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def filled(**fields) -> dict[str, str]:
    form = {
        "first_name": "",
        "last_name": "",
        "email": "",
        "phone": "",
        "tag_names": "",
        "external_id": "",
        "language": "",
        "time_zone": "",
        "attributes": "{}",
    }
    return MANAGEMENT | form | fields


def tags_of(customer: Customer) -> list[str]:
    carried = CustomerTag.objects.filter(customer=customer).order_by("segment__name")
    return list(carried.values_list("segment__name", flat=True))


@pytest.mark.usefixtures("marketing")
class TestList:
    def test_it_shows_addresses_and_why_nothing_goes_there(self, client: Client) -> None:
        CustomerFactory(email="anna@example.com", sms_subscribed=False)
        bert = CustomerFactory(phone="")
        record_consent(customer_ids=[bert.pk], channel="email", action="bounce", source="x")
        text = client.get(LIST).content.decode()
        assert "anna@example.com" in text
        assert "never subscribed" in text
        assert "does not work" in text

    def test_its_queries_do_not_grow_with_customers(self, client: Client) -> None:
        def count() -> int:
            with CaptureQueriesContext(connection) as captured:
                client.get(LIST)
            return len(captured)

        CustomerFactory(tags=["vip"])
        client.get(LIST)
        few = count()
        CustomerFactory.create_batch(20, tags=["vip", "new"])
        assert count() == few

    @pytest.mark.parametrize(
        "term", ["anna@example.com", " ANNA@Example.com ", "015123456789", "+49 (151) 234-56789"]
    )
    def test_it_finds_by_a_whole_address_in_any_form(self, client: Client, term: str) -> None:
        anna = CustomerFactory(email="anna@example.com", phone="+4915123456789")
        CustomerFactory()
        assert listed(client, q=term) == [anna]

    @pytest.mark.parametrize("term", ["bert@example.com", "nonsense@", "0151 99999999", "12345678"])
    def test_it_finds_nobody_by_another_address(self, client: Client, term: str) -> None:
        CustomerFactory(email="anna@example.com")
        assert listed(client, q=term) == []

    def test_it_finds_by_name_and_external_id(self, client: Client) -> None:
        anna = CustomerFactory(first_name="Änne", last_name="Meier", external_id="4711000")
        CustomerFactory(first_name="Bert", last_name="Huber")
        assert listed(client, q="meier") == [anna]
        assert listed(client, q="Änne Mei") == [anna]
        assert listed(client, q="4711000") == [anna]

    def test_erased_customers_are_not_in_it(self, client: Client) -> None:
        anna = CustomerFactory()
        erase_customer(customer_id=anna.pk, source="x")
        assert listed(client) == []
        assert client.get(page_of(anna)).status_code == 302

    def test_it_filters_by_tag(self, client: Client) -> None:
        anna, bert = CustomerFactory(tags=["vip", "new"]), CustomerFactory(tags=["new"])
        CustomerFactory()
        assert listed(client, tag="vip") == [anna]
        assert listed(client, tag=["vip", "new"]) == [bert, anna]

    def test_it_filters_by_what_reaches_them(self, client: Client) -> None:
        reached = CustomerFactory()
        never = CustomerFactory(email_subscribed=False)
        without = CustomerFactory(email="")
        out, bounced = CustomerFactory.create_batch(2)
        record_consent(customer_ids=[out.pk], channel="email", action="complaint", source="x")
        record_consent(customer_ids=[bounced.pk], channel="email", action="bounce", source="x")
        answers = {
            "reachable": [reached],
            "never_asked": [never],
            "no_address": [without],
            "unsubscribed": [out],
            "bounced": [bounced],
        }
        for answer, expected in answers.items():
            assert listed(client, emails=answer) == expected
        assert len(listed(client, texts="reachable")) == 5

    def test_a_missing_key_does_not_take_the_list_down(self, client: Client, settings) -> None:
        anna = CustomerFactory(first_name="Anna")
        settings.FIELD_ENCRYPTION_KEYS = read_encryption_keys("X", f"k9:{make_key()}")
        assert "key is missing" in client.get(LIST).content.decode()
        assert "FIELD_ENCRYPTION_KEYS" in client.get(page_of(anna)).content.decode()
        client.post(page_of(anna), filled(first_name="Änne", takes_email="on", takes_sms="on"))
        anna.refresh_from_db()
        assert anna.first_name == "Änne"
        assert anna.email_index


class TestForm:
    def test_it_adds_a_customer(self, client: Client, marketing) -> None:
        answer = client.post(
            ADD,
            filled(
                first_name="Anna",
                email=" Anna@Example.com",
                phone="0151 23456789",
                tag_names="VIP, new",
                language="de",
                time_zone="Europe/Berlin",
                attributes='{"pizza": "Funghi"}',
                takes_email="on",
            ),
        )
        assert answer.status_code == 302, answer.context["errors"]
        anna = Customer.objects.get()
        assert (anna.email, anna.phone) == ("anna@example.com", "+4915123456789")
        assert tags_of(anna) == ["new", "vip"]
        assert (anna.email_subscribed, anna.sms_subscribed) == (True, False)
        event = ConsentEvent.objects.get()
        assert (event.action, event.source) == ("opt_in", f"admin:{marketing.pk}")
        assert anna.external_id is None

    def test_it_changes_what_was_changed_and_nothing_else(self, client: Client, marketing) -> None:
        anna = CustomerFactory(email="anna@example.com", phone="+4915123456789", tags=["vip"])
        answer = client.post(
            page_of(anna),
            filled(
                first_name="Änne",
                last_name="Lovelace",
                email="new@example.com",
                phone="+4915123456789",
                tag_names="new",
                takes_sms="on",
            ),
        )
        assert answer.status_code == 302
        before = anna
        anna = Customer.objects.get()
        assert anna.email == "new@example.com"
        assert anna.phone_encrypted == before.phone_encrypted
        assert tags_of(anna) == ["new"]
        assert (anna.email_subscribed, anna.sms_subscribed) == (False, True)
        event = ConsentEvent.objects.get()
        assert (event.channel, event.action) == ("email", "opt_out")
        assert event.source == f"admin:{marketing.pk}"

    def test_saving_without_a_change_changes_nothing(self, client: Client, marketing) -> None:
        anna = CustomerFactory(tags=["vip", "new"], attributes={"a": 1}, external_id="T1")
        form = client.get(page_of(anna)).context["adminform"].form
        before = Customer.objects.values().get()
        data = {name: value for name, value in form.initial.items() if value not in (None, False)}
        data["attributes"] = data["initial-attributes"] = json.dumps(data["attributes"])
        answer = client.post(page_of(anna), filled(**data))
        assert answer.status_code == 302
        assert Customer.objects.values().get() == before
        assert not ConsentEvent.objects.exists()

    def test_an_unsubscribe_after_the_form_was_opened_stays(
        self, client: Client, marketing, monkeypatch
    ) -> None:
        """The form changes the name; the flag that someone else changed is not written back."""
        anna = CustomerFactory(email="anna@example.com", phone="")
        original = Customer.save

        def save(self, *args, **kwargs):
            record_consent(customer_ids=[self.pk], channel="email", action="opt_out", source="page")
            original(self, *args, **kwargs)

        monkeypatch.setattr(Customer, "save", save)
        client.post(
            page_of(anna),
            filled(first_name="Änne", email="anna@example.com", takes_email="on", takes_sms="on"),
        )
        anna.refresh_from_db()
        assert anna.first_name == "Änne"
        assert not anna.email_subscribed

    @pytest.mark.parametrize(
        ("fields", "told"),
        [
            ({"first_name": "Anna"}, "Give an email address or a phone number"),
            ({"email": "nonsense"}, "not valid"),
            ({"phone": "12"}, "not valid"),
            ({"email": "taken@example.com"}, "Another customer has this email"),
            ({"phone": "0151 11111111"}, "Another customer has this phone"),
            ({"email": "a@example.com", "external_id": "TAKEN"}, "already exists"),
            ({"email": "a@example.com", "tag_names": "two words"}, "“two words” cannot be a tag"),
            ({"email": "a@example.com", "language": "german!"}, "not a code"),
            ({"email": "a@example.com", "time_zone": "Berlin"}, "unknown"),
            ({"email": "a@example.com", "attributes": "[1]"}, "names and values"),
            ({"email": "a@example.com", "attributes": "{"}, "valid JSON"),
            (
                {"email": "a@example.com", "attributes": '{"x": ["b@example.com"]}'},
                "encrypted only",
            ),
            ({"email": "a@example.com", "first_name": "b@example.com"}, "encrypted only"),
            ({"phone": "0151 23456789", "external_id": "015123456789"}, "encrypted only"),
        ],
    )
    def test_it_says_what_is_wrong(
        self, client: Client, marketing, fields: dict[str, str], told: str
    ) -> None:
        CustomerFactory(email="taken@example.com", phone="+4915111111111", external_id="TAKEN")
        answer = client.post(ADD, filled(**fields))
        assert answer.status_code == 200
        assert told in answer.content.decode().replace("&quot;", '"')
        assert Customer.objects.count() == 1

    def test_a_race_for_an_address_ends_with_a_sentence(
        self, client: Client, marketing, monkeypatch
    ) -> None:
        CustomerFactory(email="anna@example.com")
        monkeypatch.setattr(
            "customers.admin.customer_form.CustomerForm.clean_email",
            lambda self: self.cleaned_data["email"],
        )
        answer = client.post(ADD, filled(email="anna@example.com"), follow=True)
        assert "that of another customer" in answer.content.decode()
        assert Customer.objects.count() == 1

    def test_it_shows_the_history_of_consent(self, client: Client, marketing) -> None:
        anna = CustomerFactory()
        record_consent(customer_ids=[anna.pk], channel="sms", action="opt_out", source="import:7")
        text = client.get(page_of(anna)).content.decode()
        assert "Unsubscribed" in text
        assert "import:7" in text

    def test_the_admin_log_shows_no_address(self, client: Client, marketing) -> None:
        client.post(ADD, filled(email="anna@example.com"))
        anna = Customer.objects.get()
        client.post(page_of(anna), filled(phone="0151 23456789", tag_names="vip"))
        assert LogEntry.objects.count() == 2
        for entry in LogEntry.objects.all():
            assert entry.object_repr == f"Customer {anna.pk}"
            assert "example.com" not in entry.change_message
            assert "23456789" not in entry.change_message


class TestRights:
    def test_someone_who_may_only_look_sees_and_cannot_change(self, client: Client, login) -> None:
        login("view_customer")
        anna = CustomerFactory(email="anna@example.com", tags=["vip"])
        text = client.get(page_of(anna)).content.decode()
        assert "anna@example.com" in text
        assert "vip" in text
        assert 'name="email"' not in text
        assert client.post(page_of(anna), filled(email="x@example.com")).status_code == 403
        assert client.get(ADD).status_code == 403
        assert "Import customers" not in client.get(LIST).content.decode()
        actions = client.get(LIST).context.get("action_form")
        assert actions is None
        for page in ("erase/", "export/"):
            assert client.post(f"{LIST}{anna.pk}/{page}").status_code == 403
        anna.refresh_from_db()
        assert anna.erased_at is None

    def test_nobody_deletes(self, client: Client, boss) -> None:
        anna = CustomerFactory()
        assert client.post(f"{LIST}{anna.pk}/delete/", {"post": "yes"}).status_code == 403
        assert "delete_selected" not in client.get(LIST).content.decode()

    def test_strangers_see_nothing(self, client: Client) -> None:
        anna = CustomerFactory()
        for page in (LIST, page_of(anna), f"{LIST}{anna.pk}/export/"):
            answer = client.get(page)
            assert answer.status_code == 302
            assert answer["Location"].startswith(reverse("admin:login"))

    def test_marketing_may_not_erase(self, client: Client, marketing) -> None:
        anna = CustomerFactory()
        assert client.get(f"{LIST}{anna.pk}/erase/").status_code == 403
        client.post(
            LIST, {"action": "erase_action", "_selected_action": [anna.pk], "confirmed": "yes"}
        )
        anna.refresh_from_db()
        assert anna.erased_at is None


class TestOnePerson:
    def test_it_exports_everything_as_json(self, client: Client, marketing) -> None:
        anna = CustomerFactory(email="anna@example.com")
        answer = client.get(f"{LIST}{anna.pk}/export/")
        assert json.loads(answer.content)["email"] == "anna@example.com"
        assert answer["Content-Disposition"] == f'attachment; filename="customer-{anna.pk}.json"'
        assert "no-store" in answer["Cache-Control"]

    def test_it_asks_before_it_erases(self, client: Client, boss) -> None:
        anna = CustomerFactory(first_name="Anna")
        page = f"{LIST}{anna.pk}/erase/"
        assert "cannot be undone" in client.get(page).content.decode()
        anna.refresh_from_db()
        assert anna.erased_at is None
        assert client.post(page).status_code == 302
        anna.refresh_from_db()
        assert anna.erased_at
        assert anna.email_consent_source == f"admin:{boss.pk}"
        assert client.post(page, follow=True).status_code == 200


class TestActions:
    def act(self, client: Client, action: str, chosen: list[Customer], query: str = "", **more):
        data = {
            "action": action,
            "_selected_action": [customer.pk for customer in chosen],
            "select_across": "0",
            "index": "0",
        }
        return client.post(f"{LIST}{query}", data | more, follow=True)

    def test_it_tags_a_selection(self, client: Client, marketing) -> None:
        anna, bert = CustomerFactory(), CustomerFactory()
        asked = self.act(client, "add_tags_action", [anna])
        assert "Add tags to 1 customer" in asked.content.decode()
        assert tags_of(anna) == []
        self.act(client, "add_tags_action", [anna], tags="VIP, new")
        assert tags_of(anna) == ["new", "vip"]
        assert tags_of(bert) == []
        self.act(client, "remove_tags_action", [anna, bert], tags="vip")
        assert tags_of(anna) == ["new"]

    def test_it_tags_all_that_match_the_filter(self, client: Client, marketing) -> None:
        """More customers than a page shows, one of them ticked, and «select all» chosen."""
        CustomerFactory.create_batch(60, tags=["old"])
        other = CustomerFactory()
        ticked = [Customer.objects.filter(tags__name="old").first()]
        asked = self.act(client, "add_tags_action", ticked, "?tag=old", select_across="1")
        assert "Add tags to 60 customers" in asked.content.decode()
        assert 'name="select_across" value="1"' in asked.content.decode()
        assert 'action="/admin/customers/customer/?tag=old"' in asked.content.decode()
        done = self.act(
            client, "add_tags_action", ticked, "?tag=old", select_across="1", tags="new"
        )
        assert "60 customers" in done.content.decode()
        assert CustomerTag.objects.filter(segment__name="new").count() == 60
        assert tags_of(other) == []
        self.act(client, "remove_tags_action", ticked, "?tag=old", select_across="1", tags="old")
        assert not CustomerTag.objects.filter(segment__name="old").exists()
        assert CustomerTag.objects.filter(segment__name="new").count() == 60

    def test_it_says_which_tag_is_none(self, client: Client, marketing) -> None:
        anna = CustomerFactory()
        asked = self.act(client, "add_tags_action", [anna], tags="two words")
        assert "“two words” cannot be a tag" in asked.content.decode()
        assert tags_of(anna) == []

    def test_someone_who_may_only_look_cannot_tag(self, client: Client, login) -> None:
        login("view_customer")
        anna = CustomerFactory()
        self.act(client, "add_tags_action", [anna], tags="vip")
        self.act(client, "export_action", [anna])
        assert tags_of(anna) == []

    def test_it_exports_the_selection(self, client: Client, marketing) -> None:
        anna, _ = CustomerFactory(email="anna@example.com"), CustomerFactory()
        answer = self.act(client, "export_action", [anna])
        text = b"".join(answer.streaming_content).decode("utf-8-sig")
        assert [row["email"] for row in csv.DictReader(io.StringIO(text))] == ["anna@example.com"]
        assert "no-store" in answer["Cache-Control"]
        assert answer["Content-Disposition"].startswith('attachment; filename="customers-')

    def test_it_exports_all_that_match(self, client: Client, marketing) -> None:
        CustomerFactory.create_batch(55, tags=["vip"])
        CustomerFactory()
        ticked = [Customer.objects.filter(tags__name="vip").first()]
        answer = self.act(client, "export_action", ticked, "?tag=vip", select_across="1")
        assert len(b"".join(answer.streaming_content).splitlines()) == 56

    def test_an_export_that_cannot_be_read_is_told(
        self, client: Client, marketing, settings
    ) -> None:
        anna = CustomerFactory()
        settings.FIELD_ENCRYPTION_KEYS = read_encryption_keys("X", f"k9:{make_key()}")
        answer = self.act(client, "export_action", [anna])
        assert "FIELD_ENCRYPTION_KEYS" in answer.content.decode()

    def test_it_erases_a_selection_after_asking(self, client: Client, boss) -> None:
        anna, bert = CustomerFactory(), CustomerFactory()
        asked = self.act(client, "erase_action", [anna])
        assert "Erase 1 customer?" in asked.content.decode()
        assert Customer.objects.alive().count() == 2
        self.act(client, "erase_action", [anna], confirmed="yes")
        assert list(Customer.objects.alive()) == [bert]
