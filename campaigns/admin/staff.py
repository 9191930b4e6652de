"""Accounts and groups of staff, in the look of the rest of the admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

admin.site.unregister(User)
admin.site.unregister(Group)


class ChooseSeveral(ModelAdmin):
    """Shows many choices as one searchable field: Django's pair of lists is wider than a phone."""

    filter_horizontal: Any = ()

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **options: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **options)
        field.widget = UnfoldAdminSelect2MultipleWidget()
        field.widget.choices = field.choices
        field.help_text = ""
        return field


@admin.register(User)
class StaffAdmin(ChooseSeveral, UserAdmin):  # type: ignore[type-arg, misc]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "is_active", "is_superuser")


@admin.register(Group)
class StaffGroupAdmin(ChooseSeveral, GroupAdmin):  # type: ignore[misc]
    pass
