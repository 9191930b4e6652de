import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from campaigns import health
from campaigns.models import Campaign, Delivery, Heartbeat, TestSend
from config.clock import database_now
from customers.models import Customer
from qrcodes.models import QRCode
from tests.factories import CampaignFactory, CustomerFactory, DeliveryFactory, OfferFactory, now

pytestmark = pytest.mark.django_db
STATUS_KEYS = [
    "id",
    "name",
    "status",
    "total_targeted",
    "emails_sent",
    "emails_failed",
    "emails_skipped",
    "emails_pending",
    "emails_unconfirmed",
    "sms_sent",
    "sms_failed",
    "sms_skipped",
    "sms_pending",
    "sms_unconfirmed",
    "emails_per_minute",
    "sms_per_minute",
    "seconds_left",
    "sent_at",
    "completed_at",
]


def draft(**fields: Any) -> Campaign:
    return OfferFactory(campaign=CampaignFactory(**fields)).campaign


def run(*arguments: Any) -> str:
    out = StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def test_status_has_the_keys_of_the_contract_and_true_figures() -> None:
    campaign = CampaignFactory(status="sending", total_targeted=5, sent_at=database_now())
    for status in ("sent", "sent", "failed", "pending", "sending", "skipped", "unconfirmed"):
        lease = {"lease_token": "0" * 32, "lease_until": database_now()}
        DeliveryFactory(campaign=campaign, status=status, **(lease if status == "sending" else {}))
    figures = json.loads(run("campaign_status", campaign.pk, "--json"))
    assert set(STATUS_KEYS) <= figures.keys()
    assert figures["emails_sent"] == 2
    assert figures["emails_pending"] == 2
    assert figures["emails_failed"] == figures["emails_skipped"] == 1
    assert figures["emails_unconfirmed"] == 1
    assert figures["seconds_left"] == 1
    listed = json.loads(run("campaign_status", "--json"))
    assert [one["id"] for one in listed] == [campaign.pk]


def test_status_says_why_nothing_leaves() -> None:
    CampaignFactory(status="paused", sent_at=database_now())
    CampaignFactory()
    first, *others = run("campaign_status").splitlines()
    assert "Draft" in first
    assert others[1:] == ["  Paused. Nothing leaves until somebody resumes it."]


def test_watching_ends_with_why_it_failed() -> None:
    failed = CampaignFactory(status="failed", status_reason="Nobody is left to write to.")
    assert "Nobody is left to write to." in run("campaign_status", failed.pk, "--watch")


def test_sending_says_what_was_queued() -> None:
    CustomerFactory.create_batch(3)
    CustomerFactory(phone="")
    campaign = draft()
    assert run("send_campaign", campaign.pk) == "4 emails and 3 texts queued, with QR codes.\n"
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.QUEUED


def test_a_failed_check_is_named_as_json_with_exit_code_1() -> None:
    campaign = draft(target_all=False)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("send_campaign", campaign.pk, "--json", stdout=out)
    assert ended.value.code == 1
    error = json.loads(out.getvalue())["errors"][0]
    assert error["code"] == "no_audience"
    assert error["message"].startswith("No audience")


def test_a_campaign_that_fails_while_one_waits_is_one_json_document(monkeypatch) -> None:
    CustomerFactory()

    def fail(seconds: float) -> None:
        Campaign.objects.update(status="failed", status_reason="Nobody was left.")

    monkeypatch.setattr("campaigns.management.commands.send_campaign.time.sleep", fail)
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("send_campaign", draft().pk, "--wait", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {
        "errors": [{"code": "campaign_failed", "message": "Nobody was left."}]
    }


def test_waiting_for_a_scheduled_campaign_waits_until_it_is_done(monkeypatch) -> None:
    CustomerFactory()
    states = iter(["queued", "sending", "completed"])
    monkeypatch.setattr(
        "campaigns.management.commands.send_campaign.time.sleep",
        lambda seconds: Campaign.objects.update(status=next(states)),
    )
    campaign = draft()
    out = run(
        "send_campaign",
        campaign.pk,
        "--at",
        f"{now() + timedelta(days=1):%Y-%m-%dT%H:%M}",
        "--wait",
    )
    assert out == f"Campaign {campaign.pk} is completed.\n"


@pytest.mark.parametrize("time", ["tomorrow", "2026-13-45T00:00", "2001-01-01T00:00"])
def test_a_time_that_is_none_or_past_changes_nothing(time: str) -> None:
    CustomerFactory()
    campaign = draft()
    with pytest.raises(CommandError):
        run("send_campaign", campaign.pk, "--at", time)
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.DRAFT


def test_scheduling_reads_the_time_in_the_businesss_zone() -> None:
    CustomerFactory()
    campaign = draft()
    run("send_campaign", campaign.pk, "--at", "2030-07-01T09:00")
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.SCHEDULED
    assert campaign.scheduled_for.isoformat() == "2030-07-01T07:00:00+00:00"


def test_scheduling_says_the_local_time_with_its_zone_and_which_of_two_it_is() -> None:
    CustomerFactory()
    said = run("send_campaign", draft().pk, "--at", "2030-10-27T02:30")
    assert (
        "is scheduled for Sunday, 27 October 2030, 02:30 (Europe/Berlin, the first 02:30 of that "
        "day, on which clocks are put back)." in said
    )


def test_scheduling_for_a_time_that_clocks_jump_over_names_the_one_to_choose() -> None:
    CustomerFactory()
    campaign = draft()
    with pytest.raises(CommandError, match=r"there is no 02:30 in Europe/Berlin.*choose 03:00"):
        run("send_campaign", campaign.pk, "--at", "2030-03-31T02:30")
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.DRAFT


def test_pause_resume_and_cancel() -> None:
    campaign = CampaignFactory(status="sending")
    DeliveryFactory(campaign=campaign)
    for command, status in (
        ("pause_campaign", "paused"),
        ("resume_campaign", "sending"),
        ("cancel_campaign", "cancelled"),
    ):
        run(command, campaign.pk)
        campaign.refresh_from_db()
        assert campaign.status == status
        with pytest.raises(CommandError):
            run(command, campaign.pk)
    assert Delivery.objects.get().status == "cancelled"


def test_test_sends_reach_the_typed_addresses_with_codes_that_count_nowhere() -> None:
    CustomerFactory(first_name="Grace")
    campaign = CampaignFactory()
    OfferFactory(campaign=campaign)
    for _ in range(2):
        run("send_campaign", campaign.pk, "--test", "me@example.com", "+4915112345678")
    assert TestSend.objects.exclude(sent_at=None).count() == 4
    assert QRCode.objects.filter(is_test=True).count() == 4
    assert not QRCode.objects.real().exists()
    assert not Delivery.objects.exists()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.emails_sent) == ("draft", 0)
    stored = json.dumps(list(TestSend.objects.values()), default=str)
    assert "me@example.com" not in stored
    assert "15112345678" not in stored


def test_a_test_that_is_not_sent_is_an_error_in_the_same_json_document() -> None:
    CustomerFactory()
    campaign = CampaignFactory(email_content="{{ 1 / customer.segments|length }}")
    OfferFactory(campaign=campaign)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("send_campaign", campaign.pk, "--test", "me@example.com", "--json", stdout=out)
    assert ended.value.code == 1
    printed = json.loads(out.getvalue())
    assert [test["sent"] for test in printed["tests"]] == [False]
    assert printed["errors"] == [{"code": "test_failed", "message": "1 of 1 were not sent."}]


@pytest.mark.parametrize("address", ["nonsense", "a@b", "12"])
def test_a_wrong_test_address_is_named_and_nothing_is_sent(address: str) -> None:
    CustomerFactory()
    campaign = CampaignFactory()
    OfferFactory(campaign=campaign)
    with pytest.raises(CommandError):
        run("send_campaign", campaign.pk, "--test", "me@example.com", address)
    assert not TestSend.objects.exists()
    assert not QRCode.objects.exists()


def test_recover_frees_what_a_dead_worker_held() -> None:
    campaign = CampaignFactory(status="sending")
    DeliveryFactory(
        campaign=campaign,
        status="sending",
        lease_token="0" * 32,
        lease_until=database_now(),
    )
    swept = json.loads(run("recover", "--json"))
    assert swept["handed_back"] == 1
    assert Delivery.objects.get().status == "pending"


def doctor() -> dict[str, Any]:
    out = StringIO()
    try:
        call_command("doctor", "--json", stdout=out)
    except SystemExit as ended:
        assert ended.code == 1
    found = json.loads(out.getvalue())
    return {"ok": found["ok"]} | {check["name"]: check for check in found["checks"]}


@pytest.mark.parametrize(
    ("name", "part", "command"),
    [("workers", "sweeper", "celery -A config worker"), ("beat", "beat", "celery -A config beat")],
)
def test_doctor_says_what_to_do_when_worker_or_beat_is_away(
    name: str, part: str, command: str
) -> None:
    for other in {"sweeper", "beat"} - {part}:
        Heartbeat.objects.create(name=other, at=database_now())
    found = doctor()
    assert not found["ok"]
    assert found[name]["status"] == "failed"
    assert command in found[name]["fix"]
    Heartbeat.objects.create(name=part, at=database_now())
    found = doctor()
    assert found["ok"]
    assert found[name]["status"] == "ok"


def test_of_several_processes_one_sweeps() -> None:
    assert health.take_turn("sweeper", every=5)
    assert not health.take_turn("sweeper", every=5)
    Heartbeat.objects.update(at=database_now() - timedelta(seconds=6))
    assert health.take_turn("sweeper", every=5)


def test_doctor_finds_a_lost_key(settings) -> None:
    CustomerFactory()
    assert doctor()["keys"]["status"] == "ok"
    settings.FIELD_ENCRYPTION_KEYS = {"new": b"0" * 32}
    assert doctor()["keys"]["status"] == "failed"


def test_doctor_recounts() -> None:
    campaign = CampaignFactory(status="completed", emails_sent=2)
    DeliveryFactory(campaign=campaign, status="sent")
    assert doctor()["counters"]["status"] == "failed"
    Campaign.objects.update(emails_sent=1)
    assert doctor()["counters"]["status"] == "ok"


def test_doctor_finds_a_redis_that_is_away(settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert doctor()["broker"]["status"] == "failed"


def test_health_addresses(client) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    for name in ("sweeper", "beat"):
        Heartbeat.objects.create(name=name, at=database_now())
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert Customer.objects.count() == 0


@pytest.mark.parametrize(
    ("decision", "said", "state"),
    [
        ("again", "2 messages are sent again.\n", "pending"),
        ("sent", "2 messages are counted as sent.\n", "sent"),
        ("failed", "2 messages are given up.\n", "failed"),
    ],
)
def test_settling_the_unconfirmed_of_a_campaign(decision: str, said: str, state: str) -> None:
    campaign = CampaignFactory(status="completed")
    for channel in ("email", "sms"):
        DeliveryFactory(campaign=campaign, channel=channel, status="unconfirmed")
    other = DeliveryFactory(status="unconfirmed")
    assert run("settle_unconfirmed", campaign.pk, "--as", decision) == said
    rows = Delivery.objects.filter(campaign=campaign)
    assert set(rows.values_list("status", flat=True)) == {state}
    other.refresh_from_db()
    assert other.status == "unconfirmed"


def test_settling_one_channel_and_saying_it_as_json() -> None:
    campaign = CampaignFactory(status="completed")
    for channel in ("email", "sms"):
        DeliveryFactory(campaign=campaign, channel=channel, status="unconfirmed")
    out = run("settle_unconfirmed", campaign.pk, "--as", "again", "--channel", "sms", "--json")
    assert json.loads(out) == {
        "id": campaign.pk,
        "status": "sending",
        "settled": 1,
        "as": "again",
    }
    assert Delivery.objects.get(channel="email").status == "unconfirmed"


@pytest.mark.parametrize(
    ("status", "states", "code"),
    [
        ("completed", [], "nothing_unconfirmed"),
        ("cancelled", ["unconfirmed"], "wrong_state"),
        (None, [], "unknown_campaign"),
    ],
)
def test_settling_what_cannot_be_settled_says_why(status, states, code) -> None:
    campaign_id = CampaignFactory(status=status).pk if status else 999
    for state in states:
        DeliveryFactory(campaign_id=campaign_id, campaign=None, status=state)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("settle_unconfirmed", str(campaign_id), "--as", "again", "--json", stdout=out)
    assert ended.value.code == 1
    assert [error["code"] for error in json.loads(out.getvalue())["errors"]] == [code]
    assert list(Delivery.objects.values_list("status", flat=True)) == states
    with pytest.raises(CommandError):
        run("settle_unconfirmed", campaign_id, "--as", "again")


def test_settling_needs_a_decision() -> None:
    for arguments in ([], ["--as", "maybe"], ["--as", "sent", "--channel", "fax"]):
        with pytest.raises(CommandError):
            run("settle_unconfirmed", 1, *arguments)
