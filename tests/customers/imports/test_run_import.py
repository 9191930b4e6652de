"""What an import does to customers: merging, consent, tags, rejects. On the database."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.consent import record_consent
from customers.erase_customer import erase_customer
from customers.models import ConsentEvent, Customer, CustomerTag, ImportPart
from tests.customers.lists import checked, counts, imported, rejected_rows
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


def tags_of(customer: Customer) -> set[str]:
    return set(
        CustomerTag.objects.filter(customer=customer).values_list("segment__name", flat=True)
    )


def everything() -> list:
    """All that an import may change, except when."""
    columns = (
        "id",
        "external_id",
        "email_index",
        "phone_index",
        "first_name",
        "last_name",
        "language",
        "time_zone",
        "attributes",
        "email_subscribed",
        "email_consent_action",
        "sms_subscribed",
        "sms_consent_action",
        "updated_at",
    )
    return [
        list(Customer.objects.order_by("id").values_list(*columns)),
        sorted(CustomerTag.objects.values_list("customer_id", "segment__name")),
        ConsentEvent.objects.count(),
    ]


class TestMerging:
    def test_it_creates_customers(self) -> None:
        done = imported(
            "email,phone,external_id,first_name,last_name,language,time_zone,attributes.pizza\n"
            "Anna@Example.com,0151 23456789,T1,Anna,Meier,de,Europe/Berlin,Funghi\n"
        )
        assert counts(done) == (1, 0, 0, 0)
        assert done.status == "done"
        assert done.finished_at
        anna = Customer.objects.get()
        assert (anna.email, anna.phone) == ("anna@example.com", "+4915123456789")
        assert (anna.external_id, anna.full_name) == ("T1", "Anna Meier")
        assert (anna.language, anna.time_zone) == ("de", "Europe/Berlin")
        assert anna.attributes == {"pizza": "Funghi"}
        assert Customer.objects.all().with_phone("+4915123456789").get() == anna

    @pytest.mark.parametrize(
        "row",
        [
            "T1,new@example.com,+4915100000009",
            "T1,,",
            ",anna@example.com,",
            ",,0151 23456789",
            "T1,anna@example.com,015123456789",
            ",anna@example.com,+4915100000009",
        ],
    )
    def test_it_finds_a_customer_by_external_id_email_or_phone(self, row: str) -> None:
        anna = CustomerFactory(external_id="T1", email="anna@example.com", phone="+4915123456789")
        done = imported(f"external_id,email,phone,last_name\n{row},Neu\n")
        assert counts(done) == (0, 1, 0, 0)
        anna.refresh_from_db()
        assert anna.last_name == "Neu"
        assert anna.external_id == "T1"

    def test_the_external_id_comes_first(self) -> None:
        anna = CustomerFactory(external_id="T1", email="old@example.com")
        imported("external_id,email\nT1,new@example.com\n")
        anna.refresh_from_db()
        assert anna.email == "new@example.com"
        assert Customer.objects.all().with_email("new@example.com").get() == anna
        assert not Customer.objects.all().with_email("old@example.com").exists()

    @pytest.mark.parametrize(
        "row", ["T1,bert@example.com,", "T1,,+4915100000002", ",anna@example.com,+4915100000002"]
    )
    def test_it_rejects_a_row_that_matches_two_customers(self, row: str) -> None:
        CustomerFactory(external_id="T1", email="anna@example.com", phone="+4915100000001")
        CustomerFactory(external_id="T2", email="bert@example.com", phone="+4915100000002")
        before = everything()
        done = imported(f"external_id,email,phone,last_name\n{row},Neu\n")
        assert counts(done) == (0, 0, 0, 1)
        assert "matches two customers" in rejected_rows(done)[0]["reason"]
        assert everything() == before

    def test_it_rejects_an_address_of_someone_with_another_external_id(self) -> None:
        CustomerFactory(external_id="T1", email="family@example.com")
        before = everything()
        done = imported("external_id,email,last_name\nT2,family@example.com,Neu\n")
        assert counts(done) == (0, 0, 0, 1)
        assert "another external id" in rejected_rows(done)[0]["reason"]
        assert everything() == before

    def test_it_adds_an_external_id_to_someone_without_one(self) -> None:
        anna = CustomerFactory(email="anna@example.com")
        imported("external_id,email\nT1,anna@example.com\n")
        anna.refresh_from_db()
        assert anna.external_id == "T1"

    def test_an_external_id_alone_creates_nobody(self) -> None:
        done = imported("external_id,first_name\nT1,Anna\n")
        assert counts(done) == (0, 0, 0, 1)
        assert "no customer with this external id" in rejected_rows(done)[0]["reason"]

    def test_a_blank_cell_changes_nothing(self) -> None:
        anna = CustomerFactory(email="anna@example.com", attributes={"pizza": "Funghi"})
        before = everything()
        done = imported(
            "email,phone,first_name,language,tags,email_consent,attributes.pizza\n"
            "anna@example.com,,  ,,,,\n"
        )
        assert counts(done) == (0, 0, 1, 0)
        assert everything() == before
        assert anna.phone

    def test_attributes_are_added_to_those_that_are_there(self) -> None:
        anna = CustomerFactory(email="anna@example.com", attributes={"visits": 3, "pizza": "x"})
        imported("email,attributes.pizza,attributes.visits\nanna@example.com,Funghi,3\n")
        anna.refresh_from_db()
        assert anna.attributes == {"visits": 3, "pizza": "Funghi"}

    def test_erased_customers_are_never_met_again(self) -> None:
        anna = CustomerFactory(email="anna@example.com", external_id="T1")
        erase_customer(customer_id=anna.pk, source="test")
        assert counts(imported("external_id,email\nT1,anna@example.com\n")) == (1, 0, 0, 0)
        anna.refresh_from_db()
        assert anna.email == ""

    def test_a_second_row_for_the_same_person_merges_into_the_first(self) -> None:
        done = imported(
            "external_id,email,phone,first_name,tags\n"
            ",anna@example.com,,Anna,vip\n"
            "T1,ANNA@example.com,015123456789,,new\n"
            ",,0151 23456789,Änne,\n"
        )
        assert counts(done) == (1, 2, 0, 0)
        anna = Customer.objects.get()
        assert (anna.external_id, anna.first_name) == ("T1", "Änne")
        assert anna.phone == "+4915123456789"
        assert tags_of(anna) == {"vip", "new"}

    def test_an_address_may_move_to_another_customer_within_a_list(self) -> None:
        # Older than whom it takes the address from: the database would meet the clash first.
        bert = CustomerFactory(external_id="T2", email="bert@example.com")
        anna = CustomerFactory(external_id="T1", email="office@example.com")
        done = imported(
            "external_id,email\n"
            "T1,anna@example.com\n"  # gives up what the next two rows take
            "T2,office@example.com\n"
            "T3,bert@example.com\n"
        )
        assert counts(done) == (1, 2, 0, 0)
        anna.refresh_from_db()
        bert.refresh_from_db()
        assert (anna.email, bert.email) == ("anna@example.com", "office@example.com")
        assert Customer.objects.get(external_id="T3").email == "bert@example.com"

    def test_rows_that_contradict_each_other_change_nothing_the_second_time(self) -> None:
        text = "email,first_name\nanna@example.com,Anna\nanna@example.com,Änne\n"
        assert counts(imported(text)) == (1, 1, 0, 0)
        before = everything()
        assert counts(imported(text)) == (0, 0, 2, 0)
        assert everything() == before


class TestConsent:
    def test_without_a_column_or_a_statement_nobody_is_subscribed(self) -> None:
        imported("email,phone\nanna@example.com,015123456789\n")
        anna = Customer.objects.get()
        assert not anna.email_subscribed
        assert not anna.sms_subscribed
        assert not ConsentEvent.objects.exists()

    def test_stated_consent_subscribes_on_the_stated_channels(self) -> None:
        done = imported("email,phone\nanna@example.com,015123456789\n", consent=("email",))
        anna = Customer.objects.get()
        assert anna.email_subscribed
        assert not anna.sms_subscribed
        event = ConsentEvent.objects.get()
        assert (event.action, event.source) == ("opt_in", f"import:{done.pk}")
        assert anna.email_consent_source == event.source
        assert anna.email_consent_at == event.at
        assert anna.email_consent_action == "opt_in"

    def test_stated_consent_subscribes_known_customers_who_were_never_asked(self) -> None:
        anna = CustomerFactory(email="anna@example.com", email_subscribed=False)
        done = imported("email\nanna@example.com\n", consent=("email",))
        assert counts(done) == (0, 1, 0, 0)
        anna.refresh_from_db()
        assert anna.email_subscribed

    def test_nobody_consents_on_a_channel_without_an_address(self) -> None:
        imported("email\nanna@example.com\n", consent=("email", "sms"))
        anna = Customer.objects.get()
        assert anna.email_subscribed
        assert not anna.sms_subscribed
        assert anna.sms_consent_action == ""

    @pytest.mark.parametrize("ended_by", ["opt_out", "bounce", "complaint"])
    @pytest.mark.parametrize("way", ["stated", "column"])
    def test_it_never_resubscribes(self, ended_by: str, way: str) -> None:
        anna = CustomerFactory(email="anna@example.com")
        record_consent(
            customer_ids=[anna.pk], channel="email", action=ended_by, source="unsubscribe"
        )
        before = everything()
        if way == "stated":
            done = imported("email\nanna@example.com\n", consent=("email",))
        else:
            done = imported("email,email_consent\nanna@example.com,yes\n")
        assert counts(done) == (0, 0, 1, 0)
        assert everything() == before

    def test_an_opt_out_in_the_list_opts_out(self) -> None:
        anna = CustomerFactory(email="anna@example.com")
        done = imported("Email,Accepts Email Marketing\nanna@example.com,no\n")
        assert counts(done) == (0, 1, 0, 0)
        anna.refresh_from_db()
        assert not anna.email_subscribed
        assert anna.email_consent_action == "opt_out"
        assert anna.sms_subscribed
        assert ConsentEvent.objects.get().source == f"import:{done.pk}"

    @pytest.mark.parametrize("times", ["2024-01-01 10:00:00,", ",2024-01-01 10:00:00"])
    def test_mailchimps_unsubscribed_and_cleaned_are_opted_out(self, times: str) -> None:
        anna = CustomerFactory(email="anna@example.com")
        imported(
            f"Email Address,UNSUB_TIME,CLEAN_TIME\nanna@example.com,{times}\n", consent=("email",)
        )
        anna.refresh_from_db()
        assert anna.email_consent_action == "opt_out"
        assert not anna.email_subscribed

    def test_two_rows_subscribe_and_then_unsubscribe(self) -> None:
        for _ in range(2):
            imported(
                "email,email_consent\nanna@example.com,yes\nanna@example.com,no\n"
                "anna@example.com,yes\n"
            )
        anna = Customer.objects.get()
        assert not anna.email_subscribed
        actions = ConsentEvent.objects.order_by("id").values_list("action", flat=True)
        assert list(actions) == ["opt_in", "opt_out"]
        assert anna.email_consent_action == "opt_out"


class TestTags:
    def test_tags_come_from_a_column_and_for_the_whole_list(self) -> None:
        imported('email,tags\na@example.com,"VIP,new"\nb@example.com,north;new\n', tags=("spring",))
        first, second = Customer.objects.order_by("id")
        assert tags_of(first) == {"vip", "new", "spring"}
        assert tags_of(second) == {"north", "new", "spring"}

    def test_it_adds_tags_and_never_takes_one_away(self) -> None:
        anna = CustomerFactory(email="anna@example.com", tags=["old"])
        done = imported("email,tags\nanna@example.com,new\nanna@example.com,\n")
        assert counts(done) == (0, 1, 1, 0)
        assert tags_of(anna) == {"old", "new"}


class TestRejects:
    def test_rejected_rows_come_back_as_they_came_with_a_reason(self) -> None:
        done = imported(
            "Email;Vorname;Telefon\r\n"
            'Anna@Example.com;"Än;ne";0151 23456789\r\n'
            'nonsense;"Say ""hi""";+49 1\r\n'
            "b@example.com;Bert\r\n"
            "c@example.com;Cleo;0151 23456780;extra;more\r\n"
            '"d@example.com;Dora;\r\n'
            "e@example.com;Emil;\r\n".encode("cp1252")
        )
        assert counts(done) == (2, 0, 0, 4)
        rows = rejected_rows(done)
        assert [list(row) for row in rows] == [["Email", "Vorname", "Telefon", "reason"]] * 4
        assert rows[0]["Email"] == "nonsense"
        assert rows[0]["Vorname"] == 'Say "hi"'
        assert rows[0]["Telefon"] == "+49 1"
        assert rows[1] | {"reason": ""} == {
            "Email": "b@example.com",
            "Vorname": "Bert",
            "Telefon": "",
            "reason": "",
        }
        assert rows[2]["Telefon"] == "0151 23456780;extra;more"
        assert rows[3]["Email"] == '"d@example.com'
        reasons = [row["reason"].partition(":")[0] for row in rows]
        assert reasons == ["Line 3", "Line 4", "Line 5", "Line 6"]

    def test_a_row_with_one_bad_contact_goes_in_not_at_all(self) -> None:
        done = imported("email,phone\nanna@example.com,12\n")
        assert counts(done) == (0, 0, 0, 1)
        assert not Customer.objects.exists()

    def test_mended_rejects_can_be_imported(self) -> None:
        done = imported("email,first_name,tags\nnonsense,Anna,vip\n")
        row = rejected_rows(done)[0]
        mended = f"email,first_name,tags,reason\nanna@example.com,{row['first_name']},vip,x\n"
        assert counts(imported(mended)) == (1, 0, 0, 0)


class TestTheFile:
    def test_nothing_of_the_file_is_left_when_it_is_in(self) -> None:
        done = imported("email\nanna@example.com\nnonsense\n")
        assert set(done.parts.values_list("kind", flat=True)) == {"rejects"}
        imported("email\nbert@example.com\n")
        assert ImportPart.objects.exclude(customer_import=done).count() == 0

    def test_a_list_without_rows_is_done_at_once(self) -> None:
        done = imported("email\n")
        assert done.status == "done"
        assert counts(done) == (0, 0, 0, 0)

    def test_it_reads_lists_that_span_many_pieces(self, monkeypatch) -> None:
        monkeypatch.setattr("customers.imports.storage.PART_BYTES", 100)
        monkeypatch.setattr("customers.imports.batches.BATCH_ROWS", 7)
        rows = "".join(f"Änne{n}@example.com,Ä{n}\n".replace("Änne", "anne") for n in range(100))
        assert counts(imported(f"email,first_name\n{rows}")) == (100, 0, 0, 0)
        assert Customer.objects.filter(first_name="Ä99").exists()


MESSY = (
    "\ufeffE-Mail;Vorname;Nachname;Telefon;Tags;Accepts Email Marketing\r\n"
    + "".join(
        f"Kunde{n}@Example.com;Änne{n % 7};Müller;0151 {23000000 + n};stamm,ort{n % 3};"
        f"{'yes' if n % 4 else 'no'}\r\n"
        for n in range(60)
    )
    + "kunde3@example.com;Anders;;;neu;yes\r\n"  # a duplicate that contradicts
    + "kaputt;X;;;;\r\n"
    + ";Nur Telefon;;+49 151 23000061;;\r\n"
)


class TestAgain:
    def test_the_same_list_again_changes_nothing(self) -> None:
        first = imported(MESSY)
        assert counts(first) == (61, 1, 0, 1)
        before = everything()
        again = imported(MESSY)
        assert counts(again) == (0, 0, 62, 1)
        assert everything() == before

    def test_a_dry_run_counts_what_the_import_does_and_writes_nothing(self) -> None:
        CustomerFactory(email="kunde5@example.com", first_name="Alt", last_name="Alt")
        before = everything()
        dry = checked(MESSY)
        assert dry.status == "checked"
        assert everything() == before
        real = imported(MESSY)
        assert counts(dry) == counts(real) == (60, 2, 0, 1)
        assert counts(checked(MESSY)) == (0, 0, 62, 1)

    def test_a_dry_run_knows_rows_of_earlier_batches(self, monkeypatch) -> None:
        monkeypatch.setattr("customers.imports.batches.BATCH_ROWS", 2)
        CustomerFactory(external_id="T1", email="old@example.com")
        text = (
            "external_id,email,first_name,tags\n"
            ",a@example.com,A,\n"
            "T1,new@example.com,N,\n"
            ",b@example.com,B,\n"
            ",a@example.com,A,vip\n"
            ",a@example.com,A,vip\n"
            ",old@example.com,O,\n"
            ",new@example.com,N,\n"
        )
        dry = checked(text)
        real = imported(text)
        assert counts(dry) == counts(real) == (3, 2, 2, 0)

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        rows=st.lists(
            st.tuples(
                st.sampled_from(["", "T1", "T2"]),
                st.sampled_from(["", "a@example.com", "b@example.com", "bad"]),
                st.sampled_from(["", "015123456781", "015123456782"]),
                st.sampled_from(["", "Anna", "Bert"]),
                st.sampled_from(["", "yes", "no"]),
            ),
            max_size=8,
        ),
        batch=st.integers(1, 4),
    )
    def test_a_dry_run_always_counts_like_the_import(self, rows, batch, monkeypatch) -> None:
        monkeypatch.setattr("customers.imports.batches.BATCH_ROWS", batch)
        text = "external_id,email,phone,first_name,email_consent\n"
        text += "".join(",".join(row) + "\n" for row in rows)
        with transaction.atomic():
            dry, real = checked(text), imported(text)
            assert counts(dry) == counts(real)
            assert rejected_rows(dry) == rejected_rows(real)
            transaction.set_rollback(True)

    @settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        rows=st.lists(
            st.tuples(
                st.sampled_from(["T1,a@example.com,015123456781", ",b@example.com,", "T3,c@x.de,"]),
                st.sampled_from(["", "Anna", "Bert"]),
                st.sampled_from(["", "yes", "no"]),
                st.sampled_from(["", "vip", "new;vip"]),
            ),
            max_size=10,
        ),
    )
    def test_the_same_list_always_changes_nothing_the_second_time(self, rows) -> None:
        text = "external_id,email,phone,first_name,email_consent,tags\n"
        text += "".join(",".join(row) + "\n" for row in rows)
        with transaction.atomic():
            imported(text)
            before = everything()
            assert counts(imported(text)) == (0, 0, len(rows), 0)
            assert everything() == before
            transaction.set_rollback(True)
