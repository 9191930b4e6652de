"""Filters of the customer list."""

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, MultipleDropdownFilter

from customers.models import (
    ADDRESS_FIELD,
    Channel,
    ConsentAction,
    Customer,
    CustomerQuerySet,
    Segment,
)


class TagFilter(MultipleDropdownFilter):
    """Those who carry any of the chosen tags."""

    title = "tag"
    parameter_name = "tag"

    def lookups(
        self, request: HttpRequest, model_admin: "ModelAdmin[Customer]"
    ) -> list[tuple[str, str]]:
        """Return every tag."""
        return [(name, name) for name in Segment.objects.values_list("name", flat=True)]

    def queryset(self, request: HttpRequest, queryset: CustomerQuerySet) -> CustomerQuerySet:
        """Keep those with any of the chosen tags."""
        names = [name for name in self.value() or [] if name]
        if not names:
            return queryset
        return queryset.in_segments(Segment.objects.filter(name__in=names))


class ChannelFilter(DropdownFilter):
    """Whether a channel reaches a customer, or why not."""

    channel: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the answers."""
        return [
            ("reachable", "Reached"),
            ("no_address", "No address"),
            ("unsubscribed", "Unsubscribed"),
            ("bounced", "Address does not work"),
            ("never_asked", "Never subscribed"),
        ]

    def queryset(self, request: HttpRequest, queryset: CustomerQuerySet) -> CustomerQuerySet:
        """Keep those with the chosen answer."""
        index = f"{ADDRESS_FIELD[self.channel]}_index"
        action = f"{self.channel}_consent_action"
        value = self.value()
        if value == "reachable":
            return queryset.reachable_by(self.channel)
        if value == "no_address":
            return queryset.filter(**{index: None})
        silent = queryset.filter(**{f"{index}__isnull": False, f"{self.channel}_subscribed": False})
        if value == "unsubscribed":
            said_no = [ConsentAction.OPT_OUT, ConsentAction.COMPLAINT]
            return silent.filter(**{f"{action}__in": said_no})
        if value == "bounced":
            return silent.filter(**{action: ConsentAction.BOUNCE})
        return silent.filter(**{action: ""}) if value == "never_asked" else queryset


class EmailFilter(ChannelFilter):
    """Whether emails reach a customer."""

    title = "email"
    parameter_name = "emails"
    channel = Channel.EMAIL.value


class TextFilter(ChannelFilter):
    """Whether texts reach a customer."""

    title = "text"
    parameter_name = "texts"
    channel = Channel.SMS.value
