"""Killed imports, two workers, stops, errors: nothing half, nothing twice (C-5)."""

import logging
import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from config.environment import make_key, read_encryption_keys
from config.errors import DomainError
from customers.consent import record_consent
from customers.imports import batches, people, run_import
from customers.imports.forget_lists import KEPT, forget_list, forget_old_lists
from customers.imports.lease import (
    enqueue_import,
    is_stalled,
    resume_stalled_imports,
    stalled_imports,
    take_lease,
)
from customers.imports.moves import (
    choose_columns_again,
    discard_import,
    start_check,
    start_import,
)
from customers.imports.upload_list import set_up_import, upload_list
from customers.models import ConsentEvent, Customer, CustomerImport, ImportPart
from customers.tasks import tend_imports
from tests.customers.lists import checked, counts, imported, rejected_rows, uploaded
from tests.factories import CustomerFactory

LIST = "email,first_name\n" + "".join(
    f"{'bad' if n % 5 == 0 else f'c{n}@example.com'},C{n}\n" for n in range(20)
)


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it runs."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(batches, "BATCH_ROWS", 4)


def running(content: str = LIST, **options) -> CustomerImport:
    customer_import = uploaded(content, **options)
    start_import(import_id=customer_import.pk)
    return customer_import


def run(customer_import: CustomerImport) -> bool:
    done = run_import.run_import(import_id=customer_import.pk)
    customer_import.refresh_from_db()
    return done


def let_lease_run_out(customer_import: CustomerImport) -> None:
    past = timezone.now() - timedelta(minutes=5)
    CustomerImport.objects.filter(pk=customer_import.pk).update(lease_until=past)


def kill_after(monkeypatch, batches_done: int, where: str = "_record") -> None:
    """Die in the batch after ``batches_done``, at ``where`` in its transaction."""
    original = getattr(run_import, where)
    calls = []

    def dying(*args, **kwargs):
        calls.append(1)
        if len(calls) > batches_done:
            raise Killed
        return original(*args, **kwargs)

    monkeypatch.setattr(run_import, where, dying)


@pytest.mark.django_db(transaction=True)
class TestKilled:
    @pytest.mark.parametrize("where", ["_record", "write_people", "add_rejects"])
    def test_it_goes_on_after_the_last_batch_that_is_in(self, monkeypatch, where: str) -> None:
        customer_import = running()
        with monkeypatch.context() as patch:
            kill_after(patch, 2, where)
            with pytest.raises(Killed):
                run(customer_import)
        customer_import.refresh_from_db()
        assert customer_import.rows_done == 8
        assert Customer.objects.count() == customer_import.created == 6
        assert len(rejected_rows(customer_import)) == customer_import.rejected == 2
        assert not run(customer_import)  # its lease lasts
        let_lease_run_out(customer_import)
        assert run(customer_import)
        assert customer_import.status == "done"
        assert counts(customer_import) == (16, 0, 0, 4)
        assert Customer.objects.count() == 16
        assert [row["reason"].split(":")[0] for row in rejected_rows(customer_import)] == [
            "Line 2",
            "Line 7",
            "Line 12",
            "Line 17",
        ]

    def test_a_killed_check_starts_over(self, monkeypatch) -> None:
        customer_import = uploaded(LIST)
        start_check(import_id=customer_import.pk)
        with monkeypatch.context() as patch:
            kill_after(patch, 3)
            with pytest.raises(Killed):
                run(customer_import)
        let_lease_run_out(customer_import)
        assert run(customer_import)
        assert customer_import.status == "checked"
        assert counts(customer_import) == (16, 0, 0, 4)
        assert len(rejected_rows(customer_import)) == 4
        assert not Customer.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_one_worker_at_a_time(self) -> None:
        customer_import = running()
        leased = take_lease(import_id=customer_import.pk)
        assert leased is not None
        assert take_lease(import_id=customer_import.pk) is None
        assert not run(customer_import)
        assert not Customer.objects.exists()

    def test_a_worker_that_slept_through_its_lease_writes_nothing_more(self, monkeypatch) -> None:
        customer_import = running()
        original = run_import.prepare_batch
        prepared = []

        def overtaken(records, rules):
            prepared.append(1)
            if len(prepared) == 3:
                let_lease_run_out(customer_import)
                assert take_lease(import_id=customer_import.pk) is not None
            return original(records, rules)

        monkeypatch.setattr(run_import, "prepare_batch", overtaken)
        assert not run(customer_import)
        assert customer_import.rows_done == 8
        assert Customer.objects.count() == 6
        assert customer_import.status == "running"

    def test_many_workers_import_each_row_once(self) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("threads on SQLite's in-memory database share one connection")
        customer_import = running()
        results = []

        def work() -> None:
            try:
                results.append(run_import.run_import(import_id=customer_import.pk))
            finally:
                connection.close()

        workers = [threading.Thread(target=work) for _ in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert sorted(results) == [False] * 5 + [True]
        customer_import.refresh_from_db()
        assert counts(customer_import) == (16, 0, 0, 4)
        assert Customer.objects.count() == 16

    def test_two_lists_with_the_same_people_at_once(self) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("threads on SQLite's in-memory database share one connection")
        rows = [f"c{n}@example.com,C{n},tag{n % 3};all-of-them" for n in range(40)]
        header = "email,first_name,tags\n"
        first = running(header + "\n".join(rows) + "\n")
        second = running(header + "\n".join(reversed(rows)) + "\n")

        def work(customer_import: CustomerImport) -> None:
            try:
                run_import.run_import(import_id=customer_import.pk)
            finally:
                connection.close()

        workers = [threading.Thread(target=work, args=[each]) for each in (first, second)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for each in (first, second):
            each.refresh_from_db()
        assert (first.status, second.status) == ("done", "done")
        assert first.created + second.created == Customer.objects.count() == 40
        assert first.rejected == second.rejected == 0

    def test_a_customer_created_between_look_up_and_insert_is_met(self, monkeypatch) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("SQLite admits one writer at a time")
        original = run_import.write_people
        created = []

        def elsewhere() -> None:
            created.append(CustomerFactory(email="c1@example.com", first_name="Elsewhere"))
            connection.close()

        def too_late(changed, *, source):
            if not created:
                other = threading.Thread(target=elsewhere)
                other.start()
                other.join()
            original(changed, source=source)

        monkeypatch.setattr(run_import, "write_people", too_late)
        done = imported("email,first_name\nc1@example.com,C1\n")
        assert counts(done) == (0, 1, 0, 0)
        assert Customer.objects.get().first_name == "C1"

    def test_an_unsubscribe_while_rows_are_merged_comes_after_them(self, monkeypatch) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("SQLite admits one writer at a time")
        anna = CustomerFactory(email="anna@example.com", email_subscribed=False)
        original = run_import.write_people

        def unsubscribe() -> None:
            record_consent(customer_ids=[anna.pk], channel="email", action="opt_out", source="page")
            connection.close()

        clicked = threading.Thread(target=unsubscribe)

        def meanwhile(changed, *, source):
            clicked.start()
            clicked.join(0.5)  # it waits for the import's lock
            original(changed, source=source)

        monkeypatch.setattr(run_import, "write_people", meanwhile)
        imported("email,email_consent\nanna@example.com,yes\n")
        clicked.join()
        anna.refresh_from_db()
        assert not anna.email_subscribed
        assert anna.email_consent_source == "page"

    def test_an_unsubscribe_between_look_up_and_lock_is_not_lost(self, monkeypatch) -> None:
        anna = CustomerFactory(email="anna@example.com", email_subscribed=False)
        calls = []

        class Customers:
            """The manager, with someone unsubscribing just before rows are locked."""

            def filter(self, **wanted):
                if "pk__in" in wanted and not calls:
                    calls.append(1)
                    record_consent(
                        customer_ids=[anna.pk], channel="email", action="opt_out", source="page"
                    )
                return Customer.objects.filter(**wanted)

        class Model:
            objects = Customers()

        monkeypatch.setattr(people, "Customer", Model)
        imported("email,email_consent\nanna@example.com,yes\n")
        anna.refresh_from_db()
        assert calls
        assert not anna.email_subscribed
        assert ConsentEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
class TestErrors:
    def test_an_unexpected_error_stops_it_and_says_so_without_quoting_a_row(
        self, monkeypatch, caplog
    ) -> None:
        customer_import = running()
        with monkeypatch.context() as patch, caplog.at_level(logging.DEBUG):
            original = run_import.write_people

            def failing(changed, *, source):
                if any(person.email == "c6@example.com" for person in changed):
                    raise ValueError("c6@example.com is broken")
                original(changed, source=source)

            patch.setattr(run_import, "write_people", failing)
            assert run(customer_import)
        assert customer_import.status == "failed"
        assert "try again" in customer_import.error
        assert "example.com" not in customer_import.error + caplog.text
        assert customer_import.rows_done == 4
        assert customer_import.lease_token is None
        start_import(import_id=customer_import.pk)
        assert run(customer_import)
        assert counts(customer_import) == (16, 0, 0, 4)
        assert customer_import.error == ""

    def test_a_database_that_was_away_leaves_it_to_be_resumed(self, monkeypatch) -> None:
        customer_import = running()
        with monkeypatch.context() as patch:

            def away(*args, **kwargs):
                raise OperationalError("c1@example.com")

            patch.setattr(run_import, "write_people", away)
            run(customer_import)
        assert customer_import.status == "running"
        let_lease_run_out(customer_import)
        assert stalled_imports() == [customer_import.pk]
        run(customer_import)
        assert customer_import.status == "done"

    def test_a_missing_key_is_named(self, settings) -> None:
        customer_import = running()
        settings.FIELD_ENCRYPTION_KEYS = read_encryption_keys("X", f"k9:{make_key()}")
        run(customer_import)
        assert customer_import.status == "failed"
        assert "FIELD_ENCRYPTION_KEYS" in customer_import.error

    def test_an_error_in_the_check_goes_back_to_the_columns(self, monkeypatch) -> None:
        customer_import = uploaded(LIST)
        start_check(import_id=customer_import.pk)
        monkeypatch.setattr(run_import, "merge_batch", lambda *a, **k: 1 / 0)
        run(customer_import)
        assert customer_import.status == "uploaded"
        assert customer_import.error


@pytest.mark.django_db(transaction=True)
class TestMoves:
    def test_two_people_start_it_once(self) -> None:
        customer_import = uploaded(LIST)
        start_import(import_id=customer_import.pk)
        with pytest.raises(DomainError) as error:
            start_import(import_id=customer_import.pk)
        assert error.value.code == "not_possible_now"

    def test_what_is_done_stays_done(self) -> None:
        done = imported(LIST)
        for move in (start_check, start_import, choose_columns_again, discard_import):
            with pytest.raises(DomainError):
                move(import_id=done.pk)
        with pytest.raises(DomainError):
            set_up_import(import_id=done.pk, mapping={"email": [0]}, tags=[], consent=[])

    def test_the_import_starts_over_what_the_check_counted(self) -> None:
        dry = checked(LIST)
        assert counts(dry) == (16, 0, 0, 4)
        start_import(import_id=dry.pk)
        dry.refresh_from_db()
        assert counts(dry) == (0, 0, 0, 0)
        assert rejected_rows(dry) == []
        run(dry)
        assert counts(dry) == (16, 0, 0, 4)
        assert len(rejected_rows(dry)) == 4

    def test_a_stop_keeps_what_is_in_and_deletes_the_rest(self, monkeypatch) -> None:
        customer_import = running()
        original = run_import.prepare_batch
        seen = []

        def stopped_after_two(records, rules):
            seen.append(1)
            if len(seen) == 3:
                discard_import(import_id=customer_import.pk)
            return original(records, rules)

        monkeypatch.setattr(run_import, "prepare_batch", stopped_after_two)
        assert not run(customer_import)
        assert customer_import.status == "discarded"
        assert Customer.objects.count() == 6
        assert not ImportPart.objects.exists()

    def test_going_back_to_the_columns_forgets_the_check(self) -> None:
        dry = checked(LIST)
        choose_columns_again(import_id=dry.pk)
        dry.refresh_from_db()
        assert (dry.status, dry.rows_done, dry.rejected) == ("uploaded", 0, 0)
        assert rejected_rows(dry) == []


@pytest.mark.django_db(transaction=True)
class TestStalled:
    def test_a_lost_message_is_noticed_after_a_while(self, monkeypatch) -> None:
        asked = []
        monkeypatch.setattr(
            "customers.imports.lease.current_app.send_task",
            lambda name, args: asked.append((name, args)),
        )
        customer_import = running()
        assert not is_stalled(customer_import)
        assert resume_stalled_imports() == 0
        past = timezone.now() - timedelta(seconds=30)
        CustomerImport.objects.update(touched_at=past)
        customer_import.refresh_from_db()
        assert is_stalled(customer_import)
        tend_imports()
        assert asked == [("customers.run_import", [customer_import.pk])]

    def test_an_import_that_is_worked_on_is_left_alone(self) -> None:
        customer_import = running()
        leased = take_lease(import_id=customer_import.pk)
        CustomerImport.objects.update(touched_at=timezone.now() - timedelta(hours=1))
        assert not is_stalled(leased)
        assert resume_stalled_imports() == 0

    def test_a_broker_that_is_away_is_logged_and_forgotten(self, monkeypatch, caplog) -> None:
        def away(*args, **kwargs):
            raise ConnectionError("redis://secret@host")

        monkeypatch.setattr("customers.imports.lease.current_app.send_task", away)
        enqueue_import(import_id=7)
        assert "could not enqueue import 7" in caplog.text
        assert "secret" not in caplog.text


@pytest.mark.django_db(transaction=True)
class TestForgetting:
    def test_what_is_left_of_a_list_goes_after_a_week(self) -> None:
        done, waiting, fresh = imported(LIST), uploaded(LIST), uploaded(LIST)
        old = timezone.now() - KEPT - timedelta(minutes=1)
        CustomerImport.objects.exclude(pk=fresh.pk).update(touched_at=old)
        assert forget_old_lists() == 2
        assert set(ImportPart.objects.values_list("customer_import", flat=True)) == {fresh.pk}
        waiting.refresh_from_db()
        done.refresh_from_db()
        assert (waiting.status, done.status) == ("discarded", "done")

    def test_it_happens_at_the_next_upload_and_by_the_worker(self) -> None:
        for forget in (lambda: uploaded(LIST), tend_imports):
            old = imported(LIST)
            past = timezone.now() - KEPT - timedelta(minutes=1)
            CustomerImport.objects.filter(pk=old.pk).update(touched_at=past)
            forget()
            assert not old.parts.exists()

    def test_rejected_rows_can_be_deleted_at_once(self) -> None:
        done = imported(LIST)
        assert done.parts.exists()
        forget_list(import_id=done.pk)
        assert not done.parts.exists()
        done.refresh_from_db()
        assert (done.status, done.rejected) == ("done", 4)

    def test_a_list_that_is_worked_on_is_not_forgotten(self) -> None:
        customer_import = running()
        forget_list(import_id=customer_import.pk)
        assert customer_import.parts.exists()

    def test_a_file_name_with_an_address_is_not_kept(self) -> None:
        stored = upload_list(chunks=[LIST.encode()], file_name="anna@example.com.csv")
        assert stored.file_name == "list.csv"
