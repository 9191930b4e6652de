"""The library of pictures in the admin (R-2)."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin

from campaigns.admin.page import signed_in
from campaigns.images.add_image import add_image, change_image
from campaigns.images.delete_image import delete_image, require_unused
from campaigns.images.image_forms import DescriptionForm, UploadForm
from campaigns.images.image_uses import ImageUse, count_uses, uses_of
from campaigns.images.list_images import snippet_of
from campaigns.models import Image
from config.errors import DomainError

MOST_USES = 20
UPLOAD = (None, {"fields": ("file", "name", "alt", "is_decoration")})
DESCRIPTION = (None, {"fields": ("alt", "is_decoration", "file")})
FACTS = (None, {"fields": ("alt", "is_decoration")})


@admin.register(Image)
class ImageAdmin(ModelAdmin):
    change_list_template = "admin/campaigns/image/change_list.html"
    change_form_template = "admin/campaigns/image/change_form.html"
    search_fields = ("name", "alt")
    search_help_text = "Search by name or by what it shows"
    list_per_page = 48
    empty_note = "Upload your logo or a photo once, and show it in any email by its name."
    list_fullwidth = True
    warn_unsaved_form = True
    actions = None

    class Media:
        css: ClassVar = {"all": ("campaigns/images.css",)}
        js = ("campaigns/copy.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Image]:
        found: QuerySet[Image] = super().get_queryset(request)
        return found.select_related("content", "created_by").defer("content__data")

    # --- The list -------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context:
            images = list(context["cl"].result_list)
            uses = count_uses(images)
            context["cards"] = [(image, snippet_of(image), uses[image.pk]) for image in images]
        return response

    # --- The form -------------------------------------------------------------------------------

    def get_form(
        self, request: HttpRequest, obj: Image | None = None, change: bool = False, **kwargs: Any
    ) -> "type[ModelForm[Image]]":
        if obj is None or self.has_change_permission(request, obj):
            kwargs["form"] = UploadForm if obj is None else DescriptionForm
        form: type[ModelForm[Image]] = super().get_form(request, obj, change=change, **kwargs)
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Image | None = None) -> Any:
        if obj is None:
            return (UPLOAD,)
        return (DESCRIPTION if self.has_change_permission(request, obj) else FACTS,)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            response: HttpResponse = super().changeform_view(
                request, object_id, form_url, extra_context
            )
        except DomainError as error:
            # Somebody else took the name, or deleted it, between the form's check and saving.
            messages.error(request, error.message)
            return HttpResponseRedirect(request.get_full_path())
        return response

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        image = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if image is not None:
            uses = uses_of(image)
            context = {
                "snippet": snippet_of(image),
                "uses": [(use, _address_of(request, use)) for use in uses[:MOST_USES]],
                "more_uses": max(0, len(uses) - MOST_USES),
            }
        response: HttpResponse = super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )
        return response

    def save_model(self, request: HttpRequest, obj: Image, form: Any, change: bool) -> None:
        """Hand it to a use case: a loaded row is never saved whole."""
        given = form.cleaned_data
        described = {"alt": given["alt"], "is_decoration": given["is_decoration"]}
        if change:
            change_image(image_id=obj.pk, picture=given["file"], **described)
            return
        saved = add_image(
            picture=given["file"], name=given["name"], user=signed_in(request), **described
        )
        obj.pk = saved.pk
        obj._state.adding = False

    def response_add(
        self, request: HttpRequest, obj: Image, post_url_continue: str | None = None
    ) -> HttpResponse:
        if "_addanother" in request.POST:
            response: HttpResponse = super().response_add(request, obj, post_url_continue)
            return response
        messages.success(request, f"“{obj}” is in the library: copy its tag into a message.")
        return HttpResponseRedirect(reverse("admin:campaigns_image_change", args=[obj.pk]))

    # --- Deleting -------------------------------------------------------------------------------

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        image = self.get_object(request, object_id)
        try:
            if image is not None and self.has_delete_permission(request, image):
                require_unused(image)
            response: HttpResponse = super().delete_view(request, object_id, extra_context)
        except DomainError as error:
            messages.error(request, error.message)
            page = "admin:campaigns_image_change"
            return HttpResponseRedirect(reverse(page, args=[image.pk]) if image else "..")
        return response

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the picture alone: nothing hangs on one that may be deleted."""
        names = [str(image) for image in objs]
        return names, {self.opts.verbose_name_plural: len(names)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Image) -> None:
        delete_image(image_id=obj.pk)


def _address_of(request: HttpRequest, use: ImageUse) -> str:
    """Return the page of what uses a picture, or nothing for whoever may not open it."""
    if not request.user.has_perm(f"campaigns.view_{use.kind}"):
        return ""
    return reverse(f"admin:campaigns_{use.kind}_change", args=[use.pk])
