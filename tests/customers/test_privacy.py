"""Erasing, exporting one person, rotating keys (C-2, C-8)."""

import json

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command

from config.environment import make_key, read_encryption_keys
from config.errors import DomainError
from customers import privacy
from customers.consent import record_consent
from customers.encryption import DecryptionError, encrypt
from customers.erase_customer import erase_customer
from customers.export_person import export_person
from customers.imports.storage import read_parts
from customers.models import ConsentEvent, Customer, CustomerTag, Segment
from customers.privacy import (
    EncryptedColumn,
    Holding,
    register_encrypted_column,
    register_holding,
)
from customers.rotate_keys import rotate_keys
from tests.customers.lists import uploaded
from tests.factories import CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_register(monkeypatch):
    monkeypatch.setattr(privacy, "_holdings", dict(privacy._holdings))
    monkeypatch.setattr(privacy, "_columns", dict(privacy._columns))


class TestErasing:
    def test_it_removes_everything_personal_and_keeps_the_row(self) -> None:
        anna = CustomerFactory(
            external_id="T1",
            attributes={"pizza": "Funghi"},
            language="de",
            time_zone="Europe/Berlin",
            tags=["vip"],
        )
        erase_customer(customer_id=anna.pk, source="admin:1")
        anna = Customer.objects.get(pk=anna.pk)
        assert anna.erased_at
        assert not any(
            [
                anna.first_name,
                anna.last_name,
                anna.external_id,
                anna.email,
                anna.email_index,
                anna.phone,
                anna.phone_index,
                anna.attributes,
                anna.language,
                anna.time_zone,
                anna.email_subscribed,
                anna.sms_subscribed,
            ]
        )
        assert not CustomerTag.objects.exists()
        assert not Customer.objects.alive().exists()
        assert str(anna) == f"Customer {anna.pk}"

    def test_the_history_says_so(self) -> None:
        anna = CustomerFactory()
        record_consent(customer_ids=[anna.pk], channel="email", action="opt_in", source="till")
        erase_customer(customer_id=anna.pk, source="admin:1")
        history = ConsentEvent.objects.order_by("id").values_list("channel", "action", "source")
        assert list(history) == [
            ("email", "opt_in", "till"),
            ("email", "erased", "admin:1"),
            ("sms", "erased", "admin:1"),
        ]

    def test_the_admin_log_forgets_the_name(self) -> None:
        anna, bert = CustomerFactory(first_name="Anna"), CustomerFactory(first_name="Bert")
        for customer in (anna, bert):
            LogEntry.objects.create(
                user=UserFactory(),
                content_type=ContentType.objects.get_for_model(Customer),
                object_id=str(customer.pk),
                object_repr=str(customer),
                action_flag=CHANGE,
            )
        erase_customer(customer_id=anna.pk, source="x")
        assert {entry.object_repr for entry in LogEntry.objects.all()} == {
            f"Customer {anna.pk}",
            "Bert Lovelace",
        }

    def test_it_happens_once_and_to_customers_that_exist(self) -> None:
        anna = CustomerFactory()
        erase_customer(customer_id=anna.pk, source="x")
        with pytest.raises(DomainError) as error:
            erase_customer(customer_id=anna.pk, source="x")
        assert error.value.code == "already_erased"
        with pytest.raises(DomainError) as error:
            erase_customer(customer_id=anna.pk + 99, source="x")
        assert error.value.code == "unknown_customer"

    def test_upper_apps_erase_in_the_same_transaction(self) -> None:
        anna = CustomerFactory()
        erased = []
        register_holding(Holding("orders", export=lambda pk: [], erase=erased.append))
        erase_customer(customer_id=anna.pk, source="x")
        assert erased == [anna.pk]

        def fails(pk: int) -> None:
            raise DomainError("busy", "Try again later.")

        register_holding(Holding("orders", export=lambda pk: [], erase=fails))
        bert = CustomerFactory()
        with pytest.raises(DomainError):
            erase_customer(customer_id=bert.pk, source="x")
        bert.refresh_from_db()
        assert bert.email
        assert bert.email_subscribed


class TestExportingOnePerson:
    def test_it_tells_everything_that_is_held(self) -> None:
        anna = CustomerFactory(email="anna@example.com", tags=["vip", "new"], external_id="T1")
        record_consent(customer_ids=[anna.pk], channel="email", action="opt_out", source="page")
        register_holding(
            Holding("orders", export=lambda pk: [{"customer": pk}], erase=lambda pk: None)
        )
        person = json.loads(json.dumps(export_person(customer_id=anna.pk)))
        assert person["email"] == "anna@example.com"
        assert person["phone"] == anna.phone
        assert person["tags"] == ["new", "vip"]
        assert person["subscribed"] == {"email": False, "sms": True}
        assert person["consent_history"][0]["source"] == "page"
        assert person["orders"] == [{"customer": anna.pk}]

    def test_every_column_about_a_person_is_in_it(self) -> None:
        """A new column must be exported, or be named here as derived or internal."""
        person = export_person(customer_id=CustomerFactory().pk)
        internal = {"email_encrypted", "email_index", "phone_encrypted", "phone_index"}
        derived = {
            f"{channel}_{column}"
            for channel in ("email", "sms")
            for column in ("subscribed", "consent_at", "consent_action", "consent_source")
        }
        columns = {field.name for field in Customer._meta.concrete_fields}
        assert columns - internal - derived <= person.keys()

    def test_it_says_when_there_is_no_such_customer(self) -> None:
        with pytest.raises(DomainError):
            export_person(customer_id=99)


class TestRotatingKeys:
    OLD, NEW = make_key(), make_key()

    def use(self, settings, *entries: str) -> None:
        settings.FIELD_ENCRYPTION_KEYS = read_encryption_keys("X", ",".join(entries))

    def test_after_it_the_old_key_is_not_needed(self, settings) -> None:
        self.use(settings, f"k1:{self.OLD}")
        anna = CustomerFactory(email="anna@example.com", phone="+4915123456789")
        emailless = CustomerFactory(email="")
        listed = uploaded("email\nx@example.com\n")
        self.use(settings, f"k2:{self.NEW}", f"k1:{self.OLD}")
        fresh = CustomerFactory()
        fresh_before = Customer.objects.get(pk=fresh.pk).email_encrypted
        assert rotate_keys() == 4
        assert rotate_keys() == 0
        self.use(settings, f"k2:{self.NEW}")
        anna = Customer.objects.get(pk=anna.pk)
        assert (anna.email, anna.phone) == ("anna@example.com", "+4915123456789")
        assert Customer.objects.all().with_email("anna@example.com").get() == anna
        assert Customer.objects.get(pk=emailless.pk).email == ""
        assert b"".join(read_parts(listed, "upload")) == b"email\nx@example.com\n"
        assert Customer.objects.get(pk=fresh.pk).email_encrypted == fresh_before

    def test_columns_of_upper_apps_rotate_too(self, settings) -> None:
        self.use(settings, f"k1:{self.OLD}")
        Segment.objects.create(name="x", description=encrypt("secret", place="segment.d"))
        self.use(settings, f"k2:{self.NEW}", f"k1:{self.OLD}")
        register_encrypted_column(EncryptedColumn(Segment, "description", "segment.d"))
        assert rotate_keys() == 1
        assert Segment.objects.get().description.startswith("k2.")

    def test_it_works_in_batches(self, settings, monkeypatch) -> None:
        monkeypatch.setattr("customers.rotate_keys.BATCH_ROWS", 3)
        self.use(settings, f"k1:{self.OLD}")
        CustomerFactory.create_batch(8)
        self.use(settings, f"k2:{self.NEW}", f"k1:{self.OLD}")
        assert rotate_keys() == 16
        assert all(c.email_encrypted.startswith("k2.") for c in Customer.objects.all())

    def test_a_missing_key_is_told_and_nothing_is_lost(self, settings) -> None:
        self.use(settings, f"k1:{self.OLD}")
        CustomerFactory()
        self.use(settings, f"k2:{self.NEW}")
        with pytest.raises(DecryptionError):
            rotate_keys()
        with pytest.raises(CommandError, match="Add the missing key"):
            call_command("rotate_keys")
        assert Customer.objects.get().email_encrypted.startswith("k1.")

    def test_the_command_tells_how_many(self, settings, capsys) -> None:
        self.use(settings, f"k1:{self.OLD}")
        CustomerFactory()
        self.use(settings, f"k2:{self.NEW}", f"k1:{self.OLD}")
        call_command("rotate_keys", "--json")
        assert json.loads(capsys.readouterr().out) == {"rotated": 2}
        call_command("rotate_keys")
        assert "key k2" in capsys.readouterr().out
