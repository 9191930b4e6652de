"""The demo's pizzeria from the gallery to the report, looked at as README.md shows it.

Every page is kept as ``test-results/pictures/<name>.png``: copy those to docs/images to renew it.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from campaigns.delivery import sender, sweeper, wake
from campaigns.groups import ensure_groups
from campaigns.health import BEAT, SWEEPER, beat_heart
from campaigns.lifecycle import send_campaign
from campaigns.models import Campaign, Delivery, SenderSlot
from campaigns.starters import STARTERS
from demo import business
from qrcodes.codes import short_code_of
from qrcodes.models import Location, QRCode, Source
from qrcodes.redeem import redeem_code
from tests.factories import now

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]

FOLDER = Path("test-results/pictures")
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
Open = Callable[..., Page]


@pytest.fixture
def pizza(settings, tmp_path, monkeypatch, live_server) -> Campaign:
    """The draft “20% off pizza” of the demo, a campaign after “We miss you”."""
    settings.CAPTURE_DIR = tmp_path / "captured"
    settings.EMAIL_BACKEND = "campaigns.channels.capture.CaptureEmailBackend"
    settings.PUBLIC_BASE_URL = live_server.url
    settings.DEFAULT_FROM_EMAIL = "Pizzeria Vesuvio <hello@vesuvio.example>"
    settings.BUSINESS_ADDRESS = "12 Hanover Street, Boston, MA 02113"
    settings.CURRENCY = "USD"
    settings.DEFAULT_PHONE_REGION = "US"
    settings.SMS_PRICE_PER_SEGMENT = Decimal("0.0079")
    settings.TIME_ZONE = "America/New_York"
    monkeypatch.setattr(sender, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(wake, "enqueue", lambda *args, **options: True)
    ensure_groups()
    business.create_people()
    business.import_customers()
    first, second = business.create_campaigns()
    send_everything(send_campaign(campaign_id=second))
    redeem(Campaign.objects.get(pk=second), coupons=9)
    return Campaign.objects.get(pk=first)


@pytest.fixture
def open_as(browser: Browser, live_server) -> Open:
    """Open a window as somebody who signs in on the page that asks for it."""
    contexts = []

    def open_window(name: str, address: str, size: dict[str, int] = DESK) -> Page:
        contexts.append(browser.new_context(viewport=size, locale="en-US"))
        contexts[-1].set_default_timeout(15_000)
        page = contexts[-1].new_page()
        page.goto(live_server.url + address)
        if name:
            page.locator("[name=username]").fill(name)
            page.locator("[name=password]").fill(business.PASSWORD)
            with page.expect_navigation():
                page.keyboard.press("Enter")
        return page

    yield open_window
    for context in contexts:
        context.close()


def take(page: Page, name: str) -> None:
    """Keep what the window shows, when its pictures and letters are there."""
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    page.mouse.move(0, 0)
    page.screenshot(path=FOLDER / f"{name}.png", animations="disabled", caret="hide")


def tile(page: Page, name: str) -> Locator:
    """The tile of one figure of the report."""
    return page.locator(".hb-tile", has=page.get_by_text(name, exact=True))


def send_everything(campaign: Campaign) -> None:
    """Send what waits, without limits."""
    if campaign.status == "queued":
        sweeper.freeze_campaign(campaign_id=campaign.pk)
    Campaign.objects.update(send_rate_limit_emails=0, send_rate_limit_sms=0)
    SenderSlot.objects.get_or_create(number=0)
    while sender.run_turn(slot=0):
        pass
    sweeper.finish_campaigns()
    campaign.refresh_from_db()
    assert campaign.status == "completed"


def send_a_part(campaign: Campaign) -> int:
    """Send some of what waits; return how many messages."""
    sweeper.freeze_campaign(campaign_id=campaign.pk)
    limits = {"send_rate_limit_emails": 600, "send_rate_limit_sms": 300}
    Campaign.objects.filter(pk=campaign.pk).update(**dict.fromkeys(limits, 0))
    waiting = Delivery.objects.filter(campaign=campaign, status="pending").order_by("pk")
    later = [
        *waiting.filter(channel="email").values_list("pk", flat=True)[210:],
        *waiting.filter(channel="sms").values_list("pk", flat=True)[104:],
    ]
    Delivery.objects.filter(pk__in=later).update(not_before=now() + timedelta(hours=1))
    sender.run_turn(slot=0)
    Delivery.objects.filter(pk__in=later).update(not_before=now())
    Campaign.objects.filter(pk=campaign.pk).update(**limits)
    campaign.refresh_from_db()
    return campaign.emails_sent + campaign.sms_sent


def redeem(campaign: Campaign, *, coupons: int) -> None:
    """Bring some customers to the shops."""
    shops = list(Location.objects.order_by("pk"))
    for n, code in enumerate(QRCode.objects.filter(campaign=campaign).order_by("pk")[:coupons]):
        verdict = redeem_code(
            text=code.token,
            source=Source.COMMAND,
            amount=f"{18 + n * 1.5:.2f}",
            location=shops[n % len(shops)],
        )
        assert verdict.is_accepted


def test_from_the_gallery_to_the_report(open_as, pizza) -> None:
    for part in (SWEEPER, BEAT):
        beat_heart(part)
    page = open_as("marketing", "/admin/")
    write(page, pizza)
    check_and_send(page, pizza)
    watch(page, pizza)
    look_at_captured(page)
    at_the_till(open_as, pizza)
    page.get_by_role("link", name="Campaigns", exact=True).first.click()
    page.get_by_role("link", name=pizza.name).click()
    page.get_by_role("link", name="Report").click()
    expect(tile(page, "Redeemed")).to_contain_text("25")
    expect(tile(page, "Reached")).to_contain_text("534")
    expect(tile(page, "Codes given out")).to_contain_text("534")
    take(page, "report")


def write(page: Page, pizza: Campaign) -> None:
    """The gallery, then the editor."""
    page.get_by_role("link", name="New campaign").click()
    frames = page.locator(".hb-pick iframe")
    expect(frames).to_have_count(len(STARTERS))
    page.set_viewport_size({"width": 1280, "height": 1100})
    for frame in frames.all():
        frame.scroll_into_view_if_needed()
        expect(frame.content_frame.get_by_text("Pizzeria Vesuvio").first).to_be_attached()
    page.evaluate("scrollTo(0, 0)")
    take(page, "starters")

    page.set_viewport_size(DESK)
    page.get_by_role("link", name="Campaigns", exact=True).first.click()
    page.get_by_role("link", name=pizza.name).click()
    shown = page.locator("[data-stage] iframe:not([data-waiting])").content_frame
    expect(shown.get_by_role("heading", name="20% off")).to_be_visible()
    expect(page.get_by_text("No problems found in the message")).to_be_visible()
    # The source begins where the words are, not with what mail programs read.
    expect(page.locator(".cm-line", has_text="Ciao").first).to_be_in_viewport()
    # The message is on the first screen, and the largest thing there.
    stage = page.locator("[data-stage]").bounding_box()
    bar = page.locator("#submit-row").bounding_box()
    assert bar["y"] - stage["y"] > 400
    take(page, "editor")


def check_and_send(page: Page, pizza: Campaign) -> None:
    """The confirm page, its timeline and the button."""
    Campaign.objects.filter(pk=pizza.pk).update(send_rate_limit_emails=60, send_rate_limit_sms=20)
    page.get_by_role("link", name="Check and send…").click()
    expect(page.locator(".hb-tile").first).to_contain_text("534")
    expect(page.get_by_text("about 2.05 USD")).to_be_visible()
    expect(page.locator(".hb-timeline rect")).to_have_count(2)
    page.get_by_label(re.compile("I have looked at it")).check()
    page.set_viewport_size({"width": 1280, "height": 1000})
    frame = page.locator(".hb-frame iframe")
    frame.scroll_into_view_if_needed()
    expect(frame.content_frame.get_by_role("heading", name="20% off")).to_be_attached()
    page.get_by_role("button", name="Send to 534 people now").scroll_into_view_if_needed()
    take(page, "confirm")
    page.set_viewport_size(DESK)
    page.get_by_role("button", name="Send to 534 people now").click()
    expect(page.get_by_text("491 emails and 260 texts queued, with QR codes.")).to_be_visible()


def watch(page: Page, pizza: Campaign) -> None:
    """Progress on the campaign's page and on home, without a reload."""
    sent = send_a_part(pizza)
    assert sent == 314
    expect(page.get_by_text(f"{sent} / 751 sent").first).to_be_visible()
    take(page, "campaign-sending")
    page.get_by_role("link", name="Home", exact=True).click()
    expect(page.get_by_text(f"{sent} / 751 sent")).to_be_visible()
    expect(page.get_by_role("link", name="We miss you").first).to_be_visible()
    take(page, "home")
    send_everything(pizza)
    expect(page.get_by_text("751 sent").first).to_be_visible()


def look_at_captured(page: Page) -> None:
    """One of the emails, as its receiver sees it."""
    page.get_by_role("link", name="Captured messages").first.click()
    page.get_by_role("link", name=re.compile("one slice of the bill is on us")).first.click()
    shown = page.locator("iframe").first.content_frame
    expect(shown.get_by_role("heading", name="20% off")).to_be_attached()
    take(page, "captured-email")


def at_the_till(open_as: Open, pizza: Campaign) -> None:
    """A coupon on its customer's phone, then on the phone of the shop."""
    redeem(pizza, coupons=24)
    code = short_code_of(QRCode.objects.filter(campaign=pizza, usage_count=0).first().token)
    phone = open_as("", f"/c/{code}", PHONE)
    expect(phone.get_by_text("20% off every pizza").first).to_be_visible()
    expect(phone.get_by_role("img").first).to_be_visible()
    take(phone, "coupon-phone")

    till = open_as("till", "/scan/", PHONE)
    till.get_by_label("Coupon code").fill(code)
    till.get_by_label("Where you are").select_option("Hanover Street")
    till.get_by_role("button", name="Check").click()
    till.get_by_label(re.compile("Bill in USD")).fill("42.50")
    till.get_by_role("button", name="Redeem now").click()
    expect(till.get_by_text("Accepted")).to_be_visible()
    take(till, "till-accepted")
