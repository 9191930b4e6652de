"""Every page of ours: its name in the URL configuration, its address, and who opens it.

A new page is one line in ``PAGES``; ``test_accessibility.py`` holds this list to the URL
configuration and looks at each page.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group
from django.urls import get_resolver, reverse
from django.urls.resolvers import URLPattern, URLResolver

from customers.unsubscribe import preferences_url
from qrcodes.codes import short_code_of
from qrcodes.views.scan import _sign_look
from tests.browser.world import World

Args = Callable[[World], Any]


@dataclass(frozen=True)
class OurPage:
    """One page: ``args`` gives what its address takes; ``what`` tells its states apart.

    ``tick`` is an action of a list, run on its first row: its page has no address of its own.
    """

    name: str
    args: Args | None = None
    who: str = "marketing"
    what: str = ""
    query: str = ""
    tick: str = ""
    status: int = 200

    def __str__(self) -> str:
        return f"{self.name} {self.what or self.query}".strip()

    def path(self, world: World) -> str:
        """Its address without the server."""
        given = self.args(world) if self.args else []
        values = given if isinstance(given, list) else [given]
        query = self.query.replace("{customer}", str(world.customer.pk))
        return reverse(self.name, args=[getattr(v, "pk", v) for v in values]) + query


def _campaign(name: str, state: str, **options: Any) -> OurPage:
    name = f"admin:campaigns_campaign_{name}"
    return OurPage(name, lambda world: world.campaigns[state], what=state, **options)


def _series(view: str, state: str, **options: Any) -> OurPage:
    name = f"admin:campaigns_series_{view}"
    what = f"{state} {options.get('who', '')}".strip()
    return OurPage(name, lambda world: world.series[state], what=what, **options)


def _import(state: str) -> OurPage:
    name = "admin:customers_customerimport_change"
    return OurPage(name, lambda world: world.imports[state], what=state)


def _coupon(state: str) -> OurPage:
    return OurPage(
        "qrcodes:coupon",
        lambda world: short_code_of(world.codes[state].token),
        who="anybody",
        what=state,
    )


def _model(name: str, *views: str, pk: Args | None = None, who: str = "marketing") -> list[OurPage]:
    """A model's pages of the admin."""
    return [
        OurPage(
            f"admin:{name}_{view}", None if view in {"changelist", "add"} else pk, who, what=who
        )
        for view in views
    ]


PAGES: list[OurPage] = [
    # Home and one's own account
    *[
        OurPage("admin:index", who=who, what=who)
        for who in ("marketing", "analyst", "nobody", "boss")
    ],
    OurPage("admin:login", who="anybody"),
    OurPage("admin:password_change"),
    OurPage("admin:password_change_done"),
    # Campaigns
    OurPage("admin:campaigns_campaign_changelist"),
    OurPage("admin:campaigns_campaign_changelist", query="?q=nothing+like+it"),
    OurPage("admin:campaigns_campaign_changelist", who="analyst", what="analyst"),
    OurPage("admin:campaigns_campaign_add", what="gallery"),
    OurPage("admin:campaigns_campaign_add", query="?blank=1"),
    *[
        _campaign("change", state)
        for state in (
            "draft",
            "scheduled",
            "queued",
            "sending",
            "paused",
            "completed",
            "failed",
            "cancelled",
        )
    ],
    OurPage(
        "admin:campaigns_campaign_change",
        lambda world: world.campaigns["completed"],
        "analyst",
        what="analyst",
    ),
    _campaign("preview", "draft"),
    _campaign("send", "draft"),
    _campaign("send", "scheduled"),
    _campaign("cancel", "sending"),
    _campaign("report", "completed"),
    _campaign("report", "sending"),
    _campaign("who", "completed"),
    OurPage(
        "admin:campaigns_campaign_who",
        lambda world: world.campaigns["completed"],
        query="?customer={customer}",
    ),
    OurPage(
        "admin:campaigns_campaign_unconfirmed",
        lambda world: world.campaigns["completed"],
        query="?channel=sms&decision=sent",
    ),
    _campaign("delete", "draft"),
    _campaign("history", "draft"),
    _campaign("repeat", "draft"),
    _campaign("repeat", "completed"),
    _campaign("reschedule", "scheduled"),
    # Series
    OurPage("admin:campaigns_series_changelist"),
    OurPage("admin:campaigns_series_changelist", query="?q=nothing+like+it"),
    *[_series(view, state) for view in ("change", "rule", "end") for state in ("active", "paused")],
    _series("change", "active", who="analyst"),
    OurPage(
        "admin:campaigns_campaign_change",
        lambda world: world.series["active"].original,
        what="original",
    ),
    OurPage(
        "admin:campaigns_campaign_change",
        lambda world: world.series["active"].runs.get(status="draft"),
        what="run that was not sent",
    ),
    # Templates
    *_model(
        "campaigns_messagetemplate",
        "changelist",
        "add",
        "change",
        "delete",
        "history",
        pk=lambda world: world.template,
    ),
    # Images
    *_model(
        "campaigns_image",
        *("changelist", "add", "change", "delete", "history"),
        pk=lambda world: world.image,
    ),
    OurPage("admin:campaigns_image_changelist", query="?q=nothing+like+it"),
    *_model("campaigns_image", "changelist", "change", pk=lambda world: world.image, who="analyst"),
    # Deliveries
    OurPage("admin:campaigns_delivery_changelist"),
    OurPage(
        "admin:campaigns_delivery_changelist",
        query="?status__exact=unconfirmed",
        tick="count_as_sent",
    ),
    *[
        OurPage(
            "admin:campaigns_delivery_change",
            lambda world, status=status: world.deliveries[status],
            what=status,
        )
        for status in ("sent", "failed", "unconfirmed")
    ],
    OurPage("captured-messages", what="list"),
    OurPage("captured-message", lambda world: world.captured[0], what="email"),
    OurPage("captured-message", lambda world: world.captured[1], what="text"),
    # People
    OurPage("admin:customers_customer_changelist"),
    OurPage("admin:customers_customer_changelist", tick="add_tags_action", what="tags"),
    OurPage("admin:customers_customer_changelist", tick="erase_action", who="boss", what="erase"),
    *_model("customers_customer", "add", "change", "history", pk=lambda world: world.customer),
    OurPage("admin:customers_customer_erase_one", lambda world: world.customer, who="boss"),
    OurPage("admin:customers_customerimport_changelist"),
    OurPage("admin:customers_customerimport_add", what="upload"),
    *[
        _import(state)
        for state in (
            "columns",
            "checked",
            "checking",
            "working",
            "result",
            "failed",
            "discarded",
        )
    ],
    *_model("customers_segment", "changelist", "add"),
    OurPage("admin:customers_segment_change", lambda world: world.customer.tags.first()),
    OurPage("admin:customers_segment_delete", lambda world: world.customer.tags.first()),
    # At the till
    *_model("qrcodes_qrcode", "changelist", "change", pk=lambda world: world.codes["valid"]),
    *_model("qrcodes_redemption", "changelist", "change", pk=lambda world: world.redemption),
    *_model("qrcodes_scanattempt", "changelist", "change", pk=lambda world: world.attempts[0]),
    *_model("qrcodes_location", "changelist", "add", "change", pk=lambda world: world.location),
    OurPage("qrcodes:scan", who="till"),
    OurPage("qrcodes:login", who="anybody"),
    OurPage("qrcodes:scan", who="analyst", what="forbidden", status=403),
    OurPage(
        "qrcodes:confirm",
        lambda world: _sign_look(world.codes["valid"].pk, world.people["till"]),
        who="till",
    ),
    *[
        OurPage("qrcodes:verdict", lambda world, n=n: world.attempts[n], who="till", what=what)
        for n, what in enumerate(("accepted", "used", "unknown"))
    ],
    OurPage("qrcodes:undo", lambda world: world.redemption, who="till"),
    OurPage("qrcodes:code", lambda world: world.codes["valid"].token, who="till", what="till"),
    OurPage(
        "qrcodes:code", lambda world: world.codes["valid"].token, who="anybody", what="customer"
    ),
    # For customers
    *[
        _coupon(state)
        for state in ("valid", "several", "used", "expired", "withdrawn", "test", "waiting")
    ],
    OurPage("qrcodes:coupon", lambda _: "WRONG23456", who="anybody", what="unknown", status=404),
    OurPage(
        "customers:preferences",
        lambda world: preferences_url(world.customer.pk, source="page").rsplit("/u/")[1].strip("/"),
        who="anybody",
    ),
    OurPage("customers:preferences", lambda _: "wrong", who="anybody", what="wrong", status=404),
    # Staff
    *_model("auth_user", "changelist", "add", "change", pk=lambda w: w.people["till"], who="boss"),
    OurPage("admin:auth_user_password_change", lambda world: world.people["till"], who="boss"),
    *_model(
        "auth_group", "changelist", "add", "change", pk=lambda _: Group.objects.first(), who="boss"
    ),
    # What should not happen
    OurPage("admin:customers_customer_changelist", who="analyst", what="forbidden", status=403),
    OurPage("captured-message", lambda _: "nothing", what="missing", status=404),
]

# Addresses that answer with no page of their own, and why.
NO_PAGES = {
    # They move something and lead back, or answer a script or another machine.
    "start",
    "home",
    "healthz",
    "readyz",
    "admin:search",
    "admin:logout",
    "admin:autocomplete",
    "admin:jsi18n",
    "admin:view_on_site",
    "admin:campaigns_campaign_live",
    "admin:campaigns_campaign_start",
    "admin:campaigns_campaign_test",
    "admin:campaigns_campaign_audience",
    "admin:campaigns_campaign_editor_preview",
    "admin:campaigns_campaign_editor_longest",
    "admin:campaigns_campaign_editor_people",
    "admin:campaigns_campaign_schedule",
    "admin:campaigns_campaign_pause",
    "admin:campaigns_campaign_resume",
    "admin:campaigns_campaign_unschedule",
    "admin:campaigns_campaign_retry",
    "admin:campaigns_campaign_duplicate",
    "admin:campaigns_series_pause",
    "admin:campaigns_series_resume",
    "admin:campaigns_series_seen",
    "admin:customers_customer_import_list",
    "admin:customers_customerimport_check",
    "admin:customers_customerimport_columns",
    "admin:customers_customerimport_apply",
    "admin:customers_customerimport_resume",
    "admin:customers_customerimport_discard",
    "admin:customers_customerimport_progress",
    "admin:customers_customerimport_forget",
    "campaigns:sendgrid-events",
    "campaigns:twilio-status",
    "campaigns:twilio-inbound",
    "qrcodes:logout",
    # Parts of pages that are looked at.
    "admin:campaigns_series_next_runs",
    "admin:campaigns_campaign_panel",
    "admin:campaigns_campaign_test_results",
    # A page only when a name is taken: test_the_page_of_a_name_that_is_taken looks at it.
    "admin:campaigns_campaign_save_as_template",
    # Messages as a customer's mail program shows them: docs/email-checklist.md is about these.
    "admin:campaigns_campaign_starter",
    "admin:campaigns_messagetemplate_look",
    # Files
    "admin:campaigns_campaign_report.csv",
    "admin:campaigns_campaign_report.json",
    "admin:campaigns_campaign_recipients.csv",
    "admin:customers_customer_export_one",
    "admin:customers_customerimport_rejects",
    "admin:qrcodes_redemption_export",
    "qrcodes:image",
    "campaigns:image",
    # Turned off: they answer 403 to everybody, or show a page that nothing leads to.
    "admin:app_list",
    *(
        f"admin:{model}_{view}"
        for model, views in {
            "campaigns_series": ("add", "delete", "history"),
            "campaigns_delivery": ("add", "delete", "history"),
            "customers_customer": ("delete",),
            "customers_customerimport": ("delete", "history"),
            "customers_segment": ("history",),
            "qrcodes_qrcode": ("add", "delete", "history"),
            "qrcodes_redemption": ("add", "delete", "history"),
            "qrcodes_scanattempt": ("add", "delete", "history"),
            "qrcodes_location": ("delete", "history"),
            "auth_user": ("delete", "history"),
            "auth_group": ("delete", "history"),
        }.items()
        for view in views
    ),
}
# Made by packages, and nothing of ours leads there.
NOT_OURS = ("admin:axes_", "admin:django_celery_beat_")


def names_in_urls() -> set[str]:
    """Every name of the URL configuration that is ours."""
    found = {name for name in _walk(get_resolver(), "") if not name.startswith(NOT_OURS)}
    return {name for name in found if not name.endswith(":None")}


def _walk(resolver: URLResolver, space: str) -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield f"{space}{entry.name}"
        else:
            yield from _walk(entry, f"{space}{entry.namespace}:" if entry.namespace else space)
