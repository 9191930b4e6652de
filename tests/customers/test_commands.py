"""The command contract: names, keys and exit codes."""

import csv
import io
import json
import stat

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from customers.imports import run_import
from customers.models import Customer, CustomerImport, ImportPart
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db

LIST = (
    "Email,First Name,Tags\n"
    "anna@example.com,Anna,vip\n"
    "nonsense,Bert,\n"
    "anna@example.com,,new\n"
    "cleo@example.com,Cleo,\n"
)


@pytest.fixture
def list_file(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(LIST)
    return path


def run(name: str, *arguments) -> str:
    out = io.StringIO()
    call_command(name, *map(str, arguments), stdout=out)
    return out.getvalue()


def refused(name: str, *arguments) -> tuple[int, str]:
    with pytest.raises(CommandError) as error:
        run(name, *arguments)
    return error.value.returncode, str(error.value)


class TestImport:
    def test_it_prints_the_counts_as_json(self, list_file) -> None:
        assert json.loads(run("import_customers", list_file, "--json")) == {
            "rows": 4,
            "created": 2,
            "updated": 1,
            "unchanged": 0,
            "rejected": 1,
        }

    def test_it_tells_people_what_happened(self, list_file) -> None:
        said = run("import_customers", list_file)
        assert "4 rows: 2 created, 1 updated, 0 unchanged, 1 rejected." in said
        assert "Line 3: The email address is not valid" in said

    def test_the_same_file_again_changes_nothing(self, list_file) -> None:
        run("import_customers", list_file, "--consent", "email")
        again = json.loads(run("import_customers", list_file, "--consent", "email", "--json"))
        assert again == {"rows": 4, "created": 0, "updated": 0, "unchanged": 3, "rejected": 1}

    def test_options_reach_the_import(self, tmp_path) -> None:
        path = tmp_path / "list.csv"
        path.write_text("Mail,Nr,Pizza\nanna@example.com,T1,Funghi\n")
        run(
            "import_customers",
            path,
            *("--map", "email=Mail", "--map", "external_id=Nr", "--map", "attributes.pizza=Pizza"),
            *("--tags", "vip,spring", "--consent", "email,sms"),
        )
        anna = Customer.objects.get()
        assert (anna.external_id, anna.attributes) == ("T1", {"pizza": "Funghi"})
        assert sorted(tag.name for tag in anna.tags.all()) == ["spring", "vip"]
        assert anna.email_subscribed
        assert anna.email_consent_source.startswith("import:")

    def test_a_dry_run_writes_nothing(self, list_file) -> None:
        figures = json.loads(run("import_customers", list_file, "--dry-run", "--json"))
        assert figures == {"rows": 4, "created": 2, "updated": 1, "unchanged": 0, "rejected": 1}
        assert not Customer.objects.exists()
        assert not CustomerImport.objects.exists()
        assert not ImportPart.objects.exists()

    @pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
    def test_it_writes_rejected_rows(self, list_file, tmp_path, dry_run) -> None:
        rejects = tmp_path / "rejects.csv"
        run("import_customers", list_file, "--rejects", rejects, *dry_run)
        with rejects.open(newline="") as file:
            rows = list(csv.reader(file))
        assert rows[0] == ["Email", "First Name", "Tags", "reason"]
        assert rows[1][:3] == ["nonsense", "Bert", ""]
        assert rows[1][3].startswith("Line 3: ")
        assert len(rows) == 2

    def test_it_leaves_nothing_of_the_file(self, list_file) -> None:
        run("import_customers", list_file)
        assert not ImportPart.objects.exists()
        assert CustomerImport.objects.get().status == "done"

    @pytest.mark.parametrize(
        "content",
        [None, b"", b"PK\x03\x04", bytes(range(256)), b"nothing of use\n", b"Name,City\nA,B\n"],
    )
    def test_it_exits_with_2_when_the_file_cannot_be_read(self, tmp_path, content) -> None:
        path = tmp_path / "list.csv"
        if content is not None:
            path.write_bytes(content)
        code, said = refused("import_customers", path)
        assert code == 2
        assert said
        assert not CustomerImport.objects.exists()
        assert not ImportPart.objects.exists()

    def test_a_directory_cannot_be_read_either(self, tmp_path) -> None:
        assert refused("import_customers", tmp_path)[0] == 2

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            (("--map", "mail=Email"), "mail"),
            (("--map", "email=Nope"), "Nope"),
            (("--tags", "two words"), "two words"),
            (("--consent", "fax"), "fax"),
        ],
    )
    def test_it_refuses_options_with_a_sentence(self, list_file, options, named) -> None:
        code, said = refused("import_customers", list_file, *options)
        assert code == 1
        assert f"“{named}”" in said
        assert not Customer.objects.exists()
        assert not ImportPart.objects.exists()

    def test_refusals_are_json_too(self, list_file, capsys) -> None:
        with pytest.raises(CommandError):
            call_command("import_customers", str(list_file), "--json", "--map", "email=Nope")
        assert json.loads(capsys.readouterr().out)["errors"][0]["code"] == "unknown_header"

    def test_rejects_that_cannot_be_written_stop_it_first(self, list_file, tmp_path) -> None:
        code, said = refused("import_customers", list_file, "--rejects", tmp_path / "no" / "x.csv")
        assert code == 1
        assert "cannot be written" in said
        assert not Customer.objects.exists()

    def test_an_interrupt_leaves_nothing_of_the_file(self, list_file, monkeypatch) -> None:
        def interrupted(*args, **kwargs):
            raise KeyboardInterrupt

        monkeypatch.setattr(run_import, "write_people", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run("import_customers", list_file)
        assert not ImportPart.objects.exists()
        assert not Customer.objects.exists()

    def test_a_database_that_goes_away_is_told(self, list_file, monkeypatch) -> None:
        def away(*args, **kwargs):
            raise OperationalError("server closed the connection")

        monkeypatch.setattr(run_import, "write_people", away)
        code, said = refused("import_customers", list_file)
        assert code == 1
        assert "run this again" in said
        assert not ImportPart.objects.exists()

    def test_an_error_inside_is_told_without_a_traceback(self, list_file, monkeypatch) -> None:
        def failing(*args, **kwargs):
            raise ValueError("anna@example.com")

        monkeypatch.setattr(run_import, "write_people", failing)
        code, said = refused("import_customers", list_file)
        assert code == 1
        assert "anna" not in said
        assert not ImportPart.objects.exists()


class TestExport:
    def test_it_writes_to_the_terminal(self) -> None:
        CustomerFactory(email="anna@example.com")
        assert "anna@example.com" in run("export_customers")

    def test_it_writes_a_file_for_this_user_only(self, tmp_path) -> None:
        CustomerFactory(email="anna@example.com")
        path = tmp_path / "out.csv"
        assert run("export_customers", "--output", path) == ""
        assert "anna@example.com" in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize(("name", "rows"), [("vip", 1), ("VIP", 1), ("ALL", 2), ("all", 2)])
    def test_it_exports_a_segment(self, name: str, rows: int) -> None:
        CustomerFactory(tags=["vip"])
        CustomerFactory()
        assert len(run("export_customers", "--segment", name).splitlines()) == 1 + rows

    def test_it_refuses_a_segment_that_does_not_exist(self, tmp_path) -> None:
        path = tmp_path / "out.csv"
        code, said = refused("export_customers", "--segment", "zebra", "--output", path)
        assert code == 1
        assert "“zebra”" in said
        assert not path.exists()

    def test_it_refuses_a_file_that_cannot_be_written(self, tmp_path) -> None:
        assert refused("export_customers", "--output", tmp_path / "no" / "x.csv")[0] == 1


class TestSegments:
    def test_it_prints_the_counts(self) -> None:
        CustomerFactory(tags=["vip"], phone="")
        assert json.loads(run("segments", "--json")) == [
            {"name": "ALL", "kind": "all", "customers": 1, "email": 1, "sms": 0},
            {"name": "vip", "kind": "tag", "customers": 1, "email": 1, "sms": 0},
        ]
        lines = run("segments").splitlines()
        assert lines[2].split() == ["vip", "1", "1", "0"]


class TestOnePerson:
    def test_it_erases(self) -> None:
        anna = CustomerFactory()
        assert f"Customer {anna.pk} is erased." in run("erase_customer", anna.pk)
        anna.refresh_from_db()
        assert anna.erased_at
        assert refused("erase_customer", anna.pk)[0] == 1
        assert "999" in refused("erase_customer", 999)[1]

    def test_it_exports(self) -> None:
        anna = CustomerFactory(email="anna@example.com")
        assert json.loads(run("export_customer", anna.pk))["email"] == "anna@example.com"
        assert refused("export_customer", 999)[0] == 1
