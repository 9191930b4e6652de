"""The campaigns app in the admin."""

from campaigns.admin import campaign, delivery, staff, template  # noqa: F401
