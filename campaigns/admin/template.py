"""The team's own templates in the admin (M-5)."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.clickjacking import xframe_options_sameorigin
from unfold.admin import ModelAdmin

from campaigns.admin.editor import editor_context
from campaigns.admin.gallery import message_page
from campaigns.admin.page import ADD, VIEW_TEMPLATES, signed_in
from campaigns.models import MessageTemplate
from campaigns.save_template import save_template
from campaigns.template_forms import MessageTemplateForm
from config.errors import DomainError


@admin.register(MessageTemplate)
class MessageTemplateAdmin(ModelAdmin):
    form = MessageTemplateForm
    change_form_template = "admin/campaigns/messagetemplate/change_form.html"
    fieldsets = (
        ("Message", {"fields": ("name", "subject", "email_content", "email_text", "sms_content")}),
        (
            "Coupon that it suggests",
            {"fields": (("offer_title", "offer_value"), "offer_terms")},
        ),
    )
    list_display = ("thumbnail", "name", "offer_title", "created_by", "updated_at")
    list_display_links = ("name",)
    list_select_related = ("created_by",)
    search_fields = ("name",)
    search_help_text = "Search by name"
    list_per_page = 50
    warn_unsaved_form = True
    add_label = "New template"
    empty_note = (
        "A template keeps a message for the next time. Open a campaign and press “Save as "
        "template”, or write one here."
    )

    def get_urls(self) -> list[URLPattern]:
        look = path(
            "<int:template_id>/look/",
            self.admin_site.admin_view(show_message),
            name="campaigns_messagetemplate_look",
        )
        return [look, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[MessageTemplate]:
        found: QuerySet[MessageTemplate] = super().get_queryset(request)
        # The list shows the messages in frames of their own.
        is_list = request.resolver_match and request.resolver_match.url_name == (
            "campaigns_messagetemplate_changelist"
        )
        return found.defer("email_content", "email_text", "sms_content") if is_list else found

    @admin.display(description="Looks like")
    def thumbnail(self, template: MessageTemplate) -> SafeString:
        return format_html(
            '<span class="hb-thumbnail"><iframe src="{}" sandbox loading="lazy" tabindex="-1" '
            'title="{}"></iframe></span>',
            reverse("admin:campaigns_messagetemplate_look", args=[template.pk]),
            template.name,
        )

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> MessageTemplate | None:
        """Lock what is being saved: the form compares it with what it was loaded with."""
        found: MessageTemplate | None = super().get_object(request, object_id, from_field)
        if found and request.method == "POST" and connection.in_atomic_block:
            return MessageTemplate.objects.select_for_update().filter(pk=found.pk).first()
        return found

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context: dict[str, Any] = {"may_start": request.user.has_perm(ADD)}
        may_write = self.has_change_permission if object_id else self.has_add_permission
        if may_write(request):
            pk = int(object_id) if object_id and object_id.isdigit() else None
            context["editor"] = editor_context(request, kind="template", pk=pk)
        try:
            response: HttpResponse = super().changeform_view(
                request, object_id, form_url, {**context, **(extra_context or {})}
            )
        except DomainError as error:
            # Somebody else took the name, or deleted it, between the form's check and saving.
            messages.error(request, error.message)
            return HttpResponseRedirect(request.get_full_path())
        return response

    def save_model(
        self, request: HttpRequest, obj: MessageTemplate, form: Any, change: bool
    ) -> None:
        saved = save_template(
            fields=form.cleaned_data,
            user=signed_in(request),
            template_id=obj.pk if change else None,
        )
        if form.kept_sentence:
            messages.info(request, form.kept_sentence)
        obj.pk = saved.pk
        obj._state.adding = False


@xframe_options_sameorigin
def show_message(request: HttpRequest, template_id: int) -> HttpResponse:
    """Show a template's message as a sample customer would get it, for a frame."""
    if not request.user.has_perm(VIEW_TEMPLATES):
        raise PermissionDenied
    template = MessageTemplate.objects.filter(pk=template_id).first()
    if template is None:
        raise Http404
    return message_page(
        subject=template.subject,
        email_content=template.email_content,
        sms_content=template.sms_content,
        offer={
            "title": template.offer_title,
            "value": template.offer_value,
            "terms": template.offer_terms,
        },
    )
