"""A picture from the disk to a campaign's preview."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from campaigns.models import Campaign, Image
from tests.factories import OfferFactory
from tests.pictures import a_file, an_image

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIBRARY = "/admin/campaigns/image/"


def width_shown(image) -> int:
    """How many points of a picture a browser has loaded; 0 for a broken one."""
    expect(image).to_be_visible()
    image.scroll_into_view_if_needed()
    return image.evaluate(
        "image => image.decode().then(() => image.naturalWidth, () => image.naturalWidth)"
    )


def test_a_picture_is_uploaded_copied_and_seen_in_the_preview(
    signed_in: Page, live_server, tmp_path: Path
) -> None:
    file = tmp_path / "Summer Pizza.jpg"
    file.write_bytes(a_file("JPEG", size=(800, 400)))
    page = signed_in
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(live_server.url + LIBRARY)
    page.get_by_role("link", name="Add an image").click()
    page.locator('input[name="file"]').set_input_files(file)
    page.get_by_label("What it shows").fill("A Margherita pizza")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("“summer-pizza” is in the library")).to_be_visible()

    page.goto(live_server.url + LIBRARY)
    assert width_shown(page.locator(".hb-image img")) == 800
    page.get_by_role("button", name="Copy the tag of summer-pizza").click()
    expect(page.locator("[data-copy-status]")).to_contain_text("Copied")
    tag = page.evaluate("navigator.clipboard.readText()")
    assert tag.startswith('<img src="{{ image("summer-pizza") }}" alt="A Margherita pizza"')

    campaign = OfferFactory(
        campaign__email_content=f'{tag}<a href="{{{{ unsubscribe_url }}}}">Unsubscribe</a>'
    ).campaign
    page.goto(f"{live_server.url}/admin/campaigns/campaign/{campaign.pk}/preview/")
    inside = page.frame_locator(".hb-email iframe")
    assert width_shown(inside.get_by_alt_text("A Margherita pizza")) == 800
    assert Campaign.objects.get().is_draft
    assert Image.objects.get().content.width == 800


@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_fit_the_screen(signed_in: Page, live_server, width: int) -> None:
    image = an_image("a-picture-with-a-name-that-is-rather-long-for-a-phone", alt="x" * 200)
    an_image("line", is_decoration=True, file=a_file(size=(1200, 4)))
    page = signed_in
    page.set_viewport_size({"width": width, "height": 844})
    for address in (LIBRARY, f"{LIBRARY}add/", f"{LIBRARY}{image.pk}/change/"):
        page.goto(live_server.url + address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
