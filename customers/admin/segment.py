"""Segments with their counts (S-4)."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import ManyToManyRel, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from config.errors import DomainError
from customers.count_segments import count_everyone, with_counts
from customers.models import Segment
from customers.segments import normalise_tag


class SegmentForm(forms.ModelForm):  # type: ignore[type-arg]
    """A tag's name, which stays what it is, and what it means."""

    class Meta:
        model = Segment
        fields = ("name", "description")
        help_texts: ClassVar = {
            "name": "One word of letters, digits, hyphens: regulars, inactive-6months.",
            "description": "For your colleagues: who is in it.",
        }
        widgets: ClassVar = {
            "name": UnfoldAdminTextInputWidget,
            "description": UnfoldAdminTextInputWidget,
        }

    def clean_name(self) -> str:
        """Return the name as a tag."""
        try:
            return normalise_tag(self.cleaned_data["name"])
        except DomainError as error:
            raise ValidationError(error.message, code=error.code) from None


@admin.register(Segment)
class SegmentAdmin(ModelAdmin):
    class Media:
        css: ClassVar = {"all": ("customers/list.css",)}

    form = SegmentForm
    empty_note = (
        "A segment is a group of customers that a campaign can be sent to. Tag customers, in their "
        "list or with an import, and every tag becomes a segment."
    )
    fields = ("name", "description")
    list_display = ("name", "customer_count", "email_count", "sms_count", "description")
    search_fields = ("name", "description")
    list_before_template = "admin/customers/segment/everyone.html"
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        return with_counts(super().get_queryset(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name",) if obj else ()  # Scripts and campaigns know a segment by its name.

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        context = {"everyone": count_everyone()} | (extra_context or {})
        page: TemplateResponse = super().changelist_view(request, context)
        return page

    @admin.display(description="Customers", ordering="customer_count")
    def customer_count(self, segment: Any) -> SafeString:
        address = reverse("admin:customers_customer_changelist")
        return format_html(
            '<a class="hb-link" href="{}?{}">{}</a>',
            address,
            urlencode({"tag": segment.name}),
            f"{segment.customer_count:,}",
        )

    @admin.display(description="By email", ordering="email_count")
    def email_count(self, segment: Any) -> str:
        return f"{segment.email_count:,}"

    @admin.display(description="By text", ordering="sms_count")
    def sms_count(self, segment: Any) -> str:
        return f"{segment.sms_count:,}"

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Protect segments that a campaign uses: its audience would change behind its back."""
        names, count, missing, protected = super().get_deleted_objects(objs, request)
        users = [
            f"{str(relation.related_model._meta.verbose_name).capitalize()}: {user}"
            for relation in _uses_of_segments()
            for user in relation.related_model._default_manager.filter(
                **{f"{relation.field.name}__in": [segment.pk for segment in objs]}
            ).distinct()[:20]
        ]
        return names, count, missing, [*protected, *dict.fromkeys(users)]


def _uses_of_segments() -> list[Any]:
    """Return the relations by which other apps' rows name segments."""
    return [
        relation
        for relation in Segment._meta.get_fields(include_hidden=True)
        if isinstance(relation, ManyToManyRel)
        and relation.related_model._meta.app_label != Segment._meta.app_label
    ]
