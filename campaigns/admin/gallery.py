"""Where a campaign begins: starters, the team's templates, or an empty page (M-5)."""

from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import escape
from django.views.decorators.clickjacking import xframe_options_sameorigin

from campaigns.admin.page import (
    ADD,
    ADD_TEMPLATES,
    VIEW_TEMPLATES,
    back_to,
    campaign_page,
    show,
    signed_in,
)
from campaigns.models import Campaign, MessageTemplate
from campaigns.preview import preview_content
from campaigns.save_template import LONGEST_NAME
from campaigns.save_template import save_as_template as save_campaign_as_template
from campaigns.start_campaign import start_from_starter, start_from_template
from campaigns.starters import STARTERS, find_starter
from campaigns.template_forms import TemplateNameForm
from config.errors import DomainError

MOST_TEMPLATES = 60
# A message in a frame runs nothing, sends nothing and reaches nothing but pictures.
FRAME_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data: https: http:; "
    "frame-ancestors 'self'"
)
PLAIN_PAGE = (
    '<!DOCTYPE html><meta name="color-scheme" content="light dark"><title>Message</title>'
    '<p style="margin: 12% auto; max-width: 30rem; padding: 1.5rem; border-radius: 1.5rem; '
    'background: #1a73e8; color: #fff; font: 22px/1.5 sans-serif; overflow-wrap: anywhere">{}</p>'
)


def urls(site: AdminSite) -> list[URLPattern]:
    """Return the addresses beside the gallery, which is the campaign's add page itself."""
    return [
        path("start/", site.admin_view(start), name="campaigns_campaign_start"),
        path("starters/<slug:name>/", site.admin_view(starter), name="campaigns_campaign_starter"),
    ]


def show_gallery(request: HttpRequest) -> HttpResponse:
    """Show what a campaign can be made from."""
    if not request.user.has_perm(ADD):
        raise PermissionDenied
    sees_templates = request.user.has_perm(VIEW_TEMPLATES)
    latest = MessageTemplate.objects.order_by("-updated_at", "-id").only("name", "offer_title")
    saved = list(latest[: MOST_TEMPLATES + 1]) if sees_templates else []
    return TemplateResponse(
        request,
        "admin/campaigns/campaign/gallery.html",
        {
            **admin.site.each_context(request),
            "opts": Campaign._meta,
            "title": "New campaign",
            "starters": STARTERS,
            "saved": saved[:MOST_TEMPLATES],
            "has_more": len(saved) > MOST_TEMPLATES,
            "sees_templates": sees_templates,
        },
    )


def start(request: HttpRequest) -> HttpResponse:
    """Make a draft from what was picked and open it."""
    if not request.user.has_perm(ADD):
        raise PermissionDenied
    gallery = HttpResponseRedirect(reverse("admin:campaigns_campaign_add"))
    if request.method != "POST":
        return gallery
    picked = request.POST.get("template", "")
    try:
        if "starter" in request.POST:
            campaign = start_from_starter(name=request.POST["starter"], user=signed_in(request))
        elif not request.user.has_perm(VIEW_TEMPLATES):
            raise PermissionDenied
        else:
            is_id = picked.isascii() and picked.isdigit() and len(picked) <= 18
            campaign = start_from_template(
                template_id=int(picked) if is_id else 0, user=signed_in(request)
            )
    except DomainError as error:
        messages.error(request, error.message)
        return gallery
    messages.success(
        request, "This is your draft: change the words, choose who gets it, look at the preview."
    )
    return back_to(campaign)


@xframe_options_sameorigin
def starter(request: HttpRequest, name: str) -> HttpResponse:
    """Show a starter as a sample customer gets it, for a frame."""
    found = find_starter(name)
    if not request.user.has_perm(ADD):
        raise PermissionDenied
    if found is None:
        raise Http404
    response = message_page(
        subject=found.subject,
        email_content=found.email_content,
        sms_content=found.sms_content,
        offer={"title": found.offer_title, "value": found.offer_value, "terms": found.offer_terms},
    )
    response.headers["Cache-Control"] = "private, max-age=300"
    return response


def message_page(
    *, subject: str, email_content: str, sms_content: str, offer: dict[str, str]
) -> HttpResponse:
    """Return a message as a page of its own that can do nothing."""
    try:
        preview = preview_content(
            subject=subject, email_content=email_content, sms_content=sms_content, offer=offer
        )
        html = preview.html or PLAIN_PAGE.format(escape(preview.sms))
    except DomainError as error:
        html = PLAIN_PAGE.format(escape(error.message))
    return HttpResponse(html, headers={"Content-Security-Policy": FRAME_POLICY})


@campaign_page(ADD_TEMPLATES, method="POST")
def save_as_template(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Keep the campaign's message under its name; ask for another one when that is taken."""
    form = TemplateNameForm({"name": request.POST.get("name", campaign.name[:LONGEST_NAME])})
    if form.is_valid():
        try:
            template = save_campaign_as_template(
                campaign_id=campaign.pk, name=form.cleaned_data["name"], user=signed_in(request)
            )
        except DomainError as error:
            if error.code != "name_taken":
                raise
            form.add_error("name", error.message)
        else:
            messages.success(
                request, f"Saved as template “{template}”: “New campaign” offers it from now on."
            )
            return back_to(campaign)
    return show(request, "save_as_template", campaign, f"Save {campaign} as a template", form=form)
