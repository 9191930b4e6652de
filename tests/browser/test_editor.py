"""The campaign editor as a person uses it: what is written and what arrives, side by side (M-6)."""

import contextlib
import re
from decimal import Decimal

import pytest
from django.urls import reverse
from playwright.sync_api import Error, Page, expect

from campaigns.models import Campaign, MessageTemplate
from tests.factories import CustomerFactory, OfferFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

EMAIL = (
    "<!DOCTYPE html>\n<html><head>\n"
    '<meta name="color-scheme" content="light dark">\n'
    "<style>p { color: rgb(1, 1, 1) } @media (prefers-color-scheme: dark) "
    "{ p { color: rgb(2, 2, 2) !important } } "
    "@media (max-width: 480px) { p { font-size: 31px } }</style>\n"
    "</head><body>\n"
    '<div style="display:none">A word before the body</div>\n'
    "<p>Hello {{ customer.first_name|default('there') }}</p>\n"
    '{% if qr_code_base64 %}<img alt="Your code" '
    'src="data:image/png;base64,{{ qr_code_base64 }}">{% endif %}\n'
    '<p><a href="{{ coupon_url }}">Show it</a> '
    '<a href="{{ unsubscribe_url }}">Unsubscribe</a></p>\n</body></html>'
)


@pytest.fixture
def campaign() -> Campaign:
    return OfferFactory(campaign__email_content=EMAIL).campaign


def open_editor(page: Page, live_server, campaign: Campaign, query: str = "") -> None:
    url = reverse("admin:campaigns_campaign_change", args=[campaign.pk])
    page.goto(f"{live_server.url}{url}{query}")
    expect(page.locator("[data-preview-status]")).to_contain_text("Filled in for")


def source(page: Page):
    return page.locator(".hb-code .cm-content")


def shown(page: Page):
    return page.frame_locator("[data-stage] iframe:not([data-waiting])")


def text_of(page: Page, name: str) -> str:
    return page.locator(f"#id_{name}").input_value()


def fill_sms(page: Page, text: str) -> None:
    page.get_by_role("tab", name="Text message").click()
    page.locator("#id_sms_content").fill(text)


# --- The preview --------------------------------------------------------------------------------


def test_typing_refreshes_the_preview_without_a_reload(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    expect(shown(page).get_by_text("Hello Ada")).to_be_visible()
    page.locator(".cm-line", has_text="Hello {{ customer").click()
    page.keyboard.press("End")
    page.keyboard.type("<p>Typed just now</p>")
    expect(shown(page).get_by_text("Typed just now")).to_be_visible()
    assert "<p>Typed just now</p>" in text_of(page, "email_content")
    page.fill("#id_subject", "New {{ offer.title }}")
    expect(page.locator("[data-subject]")).to_have_text("New 20% off every pizza")
    expect(page.locator("[data-preheader]")).to_contain_text("A word before the body")
    expect(page.locator("[data-subject-hint]")).to_contain_text("23 characters")
    assert page.evaluate("window.loads") == 1
    campaign.refresh_from_db()
    assert campaign.subject == "20% off every pizza"


def test_a_click_on_words_of_the_message_leads_to_their_line(
    signed_in, live_server, campaign
) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    line = page.locator(".cm-activeLine").first
    # What was filled in stands nowhere in the source; the words beside it do.
    shown(page).get_by_text("Hello Ada").click()
    expect(line).to_contain_text("Hello {{ customer.first_name")
    shown(page).get_by_text("Unsubscribe").click()
    expect(line).to_contain_text("unsubscribe_url")
    shown(page).get_by_alt_text("Your code").click()
    expect(line).to_contain_text("qr_code_base64")
    assert page.evaluate("window.loads") == 1
    assert page.evaluate("document.activeElement.classList.contains('cm-content')")


def test_only_the_last_answer_counts(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    slow = []

    def hold_the_first(route) -> None:
        if not slow:
            slow.append(route)
        else:
            route.continue_()

    page.route("**/editor/preview/", hold_the_first)
    page.fill("#id_subject", "First")
    page.wait_for_timeout(600)
    page.fill("#id_subject", "Second")
    expect(page.locator("[data-subject]")).to_have_text("Second")
    with contextlib.suppress(Error):  # it was given up already
        slow[0].continue_()
    page.wait_for_timeout(600)
    expect(page.locator("[data-subject]")).to_have_text("Second")


def test_widths_and_colours_are_really_those(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    hello = shown(page).get_by_text("Hello Ada")
    width = "() => innerWidth"
    assert hello.evaluate(width) == 600
    page.get_by_role("button", name="Phone", exact=True).click()
    expect(hello).to_have_css("font-size", "31px")
    assert hello.evaluate(width) == 375
    expect(hello).to_have_css("color", "rgb(1, 1, 1)")
    page.get_by_role("button", name="Dark", exact=True).click()
    expect(hello).to_have_css("color", "rgb(2, 2, 2)")
    scheme = "() => document.querySelector('meta[name=color-scheme]').content"
    assert hello.evaluate(scheme) == "dark"
    page.get_by_role("button", name="Light", exact=True).click()
    expect(hello).to_have_css("color", "rgb(1, 1, 1)")


def test_the_browsers_own_colours_do_not_reach_the_message(
    signed_in, live_server, campaign
) -> None:
    page = signed_in
    page.emulate_media(color_scheme="dark")
    open_editor(page, live_server, campaign)
    expect(shown(page).get_by_text("Hello Ada")).to_have_css("color", "rgb(1, 1, 1)")


def test_without_images_the_words_in_their_place_are_read(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    picture = shown(page).locator("img")
    assert picture.evaluate("image => image.naturalWidth") > 0
    page.get_by_role("button", name="No images").click()
    page.wait_for_timeout(1_000)
    assert picture.evaluate("image => image.naturalWidth") == 0
    assert picture.get_attribute("alt") == "Your code"
    page.get_by_role("button", name="Images", exact=True).click()
    page.wait_for_timeout(1_000)
    assert picture.evaluate("image => image.naturalWidth") > 0


def test_it_is_shown_as_a_chosen_customer(signed_in, live_server, campaign) -> None:
    CustomerFactory(first_name="Firsty", last_name="One")
    CustomerFactory(first_name="Grace", last_name="Hopper", email="grace@example.com")
    page = signed_in
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_editor(page, live_server, campaign)
    expect(shown(page).get_by_text("Hello Firsty")).to_be_visible()
    search = page.locator("[data-people]")
    search.fill("grace@example.com")
    expect(page.get_by_role("option", name="Grace Hopper")).to_be_visible()
    search.press("ArrowDown")
    search.press("Enter")
    expect(shown(page).get_by_text("Hello Grace")).to_be_visible()
    expect(page.locator("[data-preview-status]")).to_have_text("Filled in for Grace Hopper.")
    page.locator("[data-shown-as]").select_option("blank")
    expect(shown(page).get_by_text("Hello there")).to_be_visible()
    page.locator("[data-shown-as]").select_option("sample")
    expect(shown(page).get_by_text("Hello Ada")).to_be_visible()
    assert not [url for url in asked if "grace" in url.lower()]


def test_the_code_goes_with_the_coupon(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    expect(shown(page).locator("img")).to_have_count(1)
    page.locator("#id_has_qr_code").uncheck(force=True)
    expect(shown(page).locator("img")).to_have_count(0)


def test_links_lead_nowhere_and_nothing_runs(signed_in, live_server, campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(
        email_content='<p onclick="parent.hacked = 1" onmouseover="parent.hacked = 2">Here</p>'
        '<img src="x" onerror="top.hacked = 3" alt="">'
        '<a target="_top" href="/admin/">Up</a> <a target="_self" href="/admin/">Self</a> '
        '<a target="_blank" href="/admin/">Out</a>'
        '<form action="/admin/logout/" method="post"><button>Send</button></form>'
    )
    page = signed_in
    open_editor(page, live_server, campaign)
    here = page.url
    for words in ("Here", "Up", "Self", "Out", "Send"):
        shown(page).get_by_text(words, exact=True).click()
    page.wait_for_timeout(500)
    assert page.url == here
    assert page.evaluate("window.hacked") is None
    assert len(page.context.pages) == 1
    expect(shown(page).get_by_text("Here")).to_be_visible()


def test_a_lost_connection_is_told_and_typing_goes_on(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    page.route("**/editor/preview/", lambda route: route.abort())
    page.fill("#id_subject", "While away")
    status = page.locator("[data-preview-status]")
    expect(status).to_contain_text("The preview is not up to date")
    page.locator("#id_subject").press("End")
    page.keyboard.type(" from home")
    assert text_of(page, "subject") == "While away from home"
    page.unroute("**/editor/preview/")
    expect(status).to_contain_text("Filled in for", timeout=8_000)
    expect(page.locator("[data-subject]")).to_have_text("While away from home")


def test_whoever_is_signed_out_is_told(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    page.context.clear_cookies(name="sessionid")
    page.fill("#id_subject", "While away")
    expect(page.locator("[data-preview-status]")).to_contain_text("not signed in any more")


def test_a_server_that_starts_anew_is_asked_again(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    page.route("**/editor/preview/", lambda route: route.fulfill(status=503))
    page.fill("#id_subject", "While away")
    status = page.locator("[data-preview-status]")
    expect(status).to_contain_text("The preview is not up to date")
    page.unroute("**/editor/preview/")
    expect(status).to_contain_text("Filled in for", timeout=8_000)


# --- Problems -----------------------------------------------------------------------------------


def test_an_error_is_named_while_typing_and_leads_to_its_line(
    signed_in, live_server, campaign
) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    filler = "\n".join(f"<p>Line {number}</p>" for number in range(1, 120))
    source(page).fill(f"{filler}\n<p>{{{{ customer.first_nam }}}}</p>")
    problem = page.locator('[data-problems] [data-code="unknown_placeholder"]')
    expect(problem).to_contain_text("Did you mean customer.first_name?")
    expect(page.locator("[data-no-email]")).to_contain_text("before its last error")
    page.get_by_role("tab", name="Text message").click()
    problem.click()
    marked = page.locator(".cm-line.hb-line-error")
    expect(marked).to_contain_text("first_nam ")
    expect(marked).to_be_in_viewport()
    expect(source(page)).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.type("X")
    assert text_of(page, "email_content").endswith("</p>X")


def test_a_link_leads_to_a_field_and_a_line(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign, "?field=email_content&line=7")
    expect(source(page)).to_be_focused()
    expect(page.locator(".cm-activeLine")).to_contain_text("Hello")
    open_editor(page, live_server, campaign, "?field=sms_content&line=1")
    expect(page.locator("#id_sms_content")).to_be_focused()
    open_editor(page, live_server, campaign, "?field=offer_title")
    expect(page.locator("#id_offer_title")).to_be_focused()
    open_editor(page, live_server, campaign, "?field=<script>&line=x")


# --- Inserting ----------------------------------------------------------------------------------


def test_a_placeholder_goes_to_the_cursor_of_the_field_last_used(
    signed_in, live_server, campaign
) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)

    def insert(words: str) -> None:
        page.get_by_role("button", name="Insert…").click()
        page.locator("[data-menu-search]").fill(words)
        page.keyboard.press("Enter")

    page.fill("#id_subject", "Dear , hello")
    page.locator("#id_subject").evaluate("input => input.setSelectionRange(5, 5)")
    insert("customer.first_name")
    assert text_of(page, "subject") == "Dear {{ customer.first_name }}, hello"

    page.locator(".cm-line", has_text="Hello {{ customer").click()
    page.keyboard.press("End")
    insert("unsubscribe line")
    line = text_of(page, "email_content").split("default('there') }}</p>")[1]
    assert line.startswith("<p align=")

    fill_sms(page, "Hi : bye")
    page.locator("#id_sms_content").evaluate("input => input.setSelectionRange(3, 3)")
    insert("button to the coupon")
    assert text_of(page, "sms_content") == "Hi {{ coupon_url }}: bye"
    page.keyboard.press("Control+z")
    assert text_of(page, "sms_content") == "Hi : bye"


def test_the_menu_is_searched_and_closed_by_keyboard(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    button = page.get_by_role("button", name="Insert…")
    button.click()
    menu = page.locator("[data-menu]")
    expect(menu.get_by_text("Such as Lovelace")).to_be_visible()
    page.locator("[data-menu-search]").fill("nothing like it")
    expect(menu.get_by_text("Nothing of that name.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(button).to_be_focused()


def test_the_editor_can_be_left_by_keyboard(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    source(page).click()
    page.keyboard.press("Tab")
    expect(source(page)).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(source(page)).not_to_be_focused()


# --- The text message and the plain text --------------------------------------------------------


def test_the_text_message_is_counted_and_its_dear_characters_replaced(
    signed_in, live_server, campaign, settings
) -> None:
    settings.SMS_PRICE_PER_SEGMENT = Decimal("0.01")
    page = signed_in
    open_editor(page, live_server, campaign)
    fill_sms(page, "Plain words")
    figures = page.locator("[data-sms-figures]")
    expect(figures).to_have_text("11 characters in GSM-7 · 1 segment of up to 160 · 0.01 EUR")
    expect(page.locator("[data-bubble]")).to_have_text("Plain words")
    fill_sms(page, "It’s “free” – ☕")
    expect(figures).to_contain_text("UCS-2")
    listed = page.locator("[data-characters]")
    expect(listed).to_contain_text("curly apostrophe")
    expect(listed).to_contain_text("emoji")
    page.get_by_role("button", name="Replace them").click()
    expect(page.locator("[data-characters] li")).to_have_count(1)
    assert text_of(page, "sms_content") == 'It\'s "free" - ☕'
    fill_sms(page, "It's free")
    expect(figures).to_contain_text("GSM-7")
    expect(listed).to_be_hidden()


def test_a_long_name_makes_the_longest_text(signed_in, live_server, campaign) -> None:
    CustomerFactory(first_name="Al", last_name="")
    long = CustomerFactory(first_name="Maximiliana" * 8, last_name="Long")
    page = signed_in
    open_editor(page, live_server, campaign)
    fill_sms(page, "Hello {{ customer.first_name }}, " + "x" * 70)
    longest = page.locator("[data-longest]")
    expect(page.locator("[data-sms-figures]")).to_contain_text("1 segment")
    expect(longest).to_contain_text("2 segments", timeout=8_000)
    expect(longest).to_contain_text("Longest of all 2 recipients")
    longest.get_by_role("button").click()
    expect(page.locator("[data-sms-figures]")).to_contain_text("2 segments")
    expect(page.locator("[data-preview-status]")).to_contain_text(str(long))


def test_an_own_plain_text_starts_from_the_automatic_one(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    page.get_by_role("tab", name="Plain text").click()
    expect(page.locator("[data-text]")).to_contain_text("Hello Ada")
    expect(page.locator("#id_email_text")).to_be_hidden()
    page.get_by_role("button", name="Write my own").click()
    expect(page.locator("#id_email_text")).to_be_focused()
    expect(page.locator("#id_email_text")).to_have_value(
        re.compile(r"Hello \{\{ customer\.first_name\|default\('there'\) \}\}")
    )
    page.fill("#id_email_text", "Only {{ customer.last_name }}")
    expect(page.locator("[data-text]")).to_contain_text("Only Lovelace")
    expect(page.locator("[data-text]")).to_contain_text("Unsubscribe: http")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is saved.")).to_be_visible()
    campaign.refresh_from_db()
    assert campaign.email_text == "Only {{ customer.last_name }}"
    page.get_by_role("tab", name="Plain text").click()
    expect(page.locator("#id_email_text")).to_have_value("Only {{ customer.last_name }}")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Make it from the email again").click()
    expect(page.locator("[data-text]")).to_contain_text("Hello Ada")


# --- Saving -------------------------------------------------------------------------------------


def test_what_is_written_is_saved_and_what_is_wrong_is_kept(
    signed_in, live_server, campaign
) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    source(page).fill("<p>{{ oops }}</p>")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errors")).to_contain_text("there is no placeholder “oops”")
    assert text_of(page, "email_content") == "<p>{{ oops }}</p>"
    expect(source(page)).to_contain_text("{{ oops }}")
    source(page).fill("<p>Saved</p>")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is saved.")).to_be_visible()
    campaign.refresh_from_db()
    assert campaign.email_content == "<p>Saved</p>"


def test_a_change_in_the_source_is_an_unsaved_change(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    asked = []

    def answer(dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", answer)
    source(page).click()
    page.keyboard.type("x")
    page.goto(f"{live_server.url}/admin/campaigns/campaign/")
    assert asked == ["beforeunload"]


def test_a_stale_form_shows_both_and_saves_nothing(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    page.fill("#id_subject", "Mine")
    Campaign.objects.filter(pk=campaign.pk).update(subject="My colleague’s")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Nothing was saved: meanwhile somebody else changed")).to_be_visible()
    expect(page.locator(".hb-conflicts")).to_contain_text("My colleague’s")
    assert text_of(page, "subject") == "Mine"
    campaign.refresh_from_db()
    assert campaign.subject == "My colleague’s"
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is saved.")).to_be_visible()
    campaign.refresh_from_db()
    assert campaign.subject == "Mine"


def test_going_back_shows_what_is_saved_now(signed_in, live_server, campaign) -> None:
    page = signed_in
    open_editor(page, live_server, campaign)
    page.fill("#id_subject", "Mine")
    source(page).fill("<p>Mine</p>")
    page.get_by_role("button", name="Save and preview", exact=True).click()
    page.wait_for_url("**/preview/")
    theirs = {"subject": "Theirs", "email_content": "<p>Theirs</p>"}
    Campaign.objects.filter(pk=campaign.pk).update(**theirs)
    page.go_back()
    expect(page.locator("[data-preview-status]")).to_contain_text("Filled in for")
    expect(source(page)).to_have_text("<p>Theirs</p>")
    assert {name: text_of(page, name) for name in theirs} == theirs
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is saved.")).to_be_visible()
    assert Campaign.objects.filter(pk=campaign.pk, **theirs).exists()


def test_without_javascript_it_is_a_form_that_saves(
    browser, signed_in, live_server, campaign
) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(signed_in.context.cookies())
    page = context.new_page()
    url = reverse("admin:campaigns_campaign_change", args=[campaign.pk])
    page.goto(f"{live_server.url}{url}")
    for name in ("subject", "email_content", "email_text", "sms_content"):
        expect(page.locator(f"#id_{name}")).to_be_visible()
    expect(page.locator(".hb-see")).to_be_hidden()
    expect(page.locator("[data-insert]")).to_be_hidden()
    page.fill("#id_email_content", "<p>By hand</p>")
    page.fill("#id_email_text", "By hand")
    page.get_by_role("button", name="Save", exact=True).click()
    campaign.refresh_from_db()
    assert (campaign.email_content, campaign.email_text) == ("<p>By hand</p>", "By hand")
    context.close()


# --- Elsewhere ----------------------------------------------------------------------------------


def test_at_phone_width_one_writes_or_sees(signed_in, live_server, campaign) -> None:
    page = signed_in
    page.set_viewport_size({"width": 390, "height": 844})
    open_editor(page, live_server, campaign)
    expect(source(page)).to_be_visible()
    expect(page.locator("[data-stage]")).to_be_hidden()
    page.get_by_role("button", name="See", exact=True).click()
    expect(shown(page).get_by_text("Hello Ada")).to_be_visible()
    expect(source(page)).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Write", exact=True).click()
    page.get_by_role("button", name="Insert…").click()
    box = page.locator("[data-menu]").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_a_saved_template_has_the_same_editor(signed_in, live_server) -> None:
    template = MessageTemplate.objects.create(name="One", subject="Hi", email_content=EMAIL)
    page = signed_in
    url = reverse("admin:campaigns_messagetemplate_change", args=[template.pk])
    page.goto(f"{live_server.url}{url}")
    expect(shown(page).get_by_text("Hello Ada")).to_be_visible()
    source(page).fill("<p>Changed {{ customer.last_name }}</p>")
    expect(shown(page).get_by_text("Changed Lovelace")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/messagetemplate/")
    template.refresh_from_db()
    assert template.email_content == "<p>Changed {{ customer.last_name }}</p>"


def test_a_blank_campaign_is_written_from_nothing(signed_in, live_server) -> None:
    page = signed_in
    page.goto(f"{live_server.url}/admin/campaigns/campaign/add/?blank=1")
    expect(page.locator("[data-problems-title]")).to_contain_text("to mend")
    source(page).fill("<p>Fresh</p>")
    expect(shown(page).get_by_text("Fresh")).to_be_visible()
    assert not Campaign.objects.exists()
