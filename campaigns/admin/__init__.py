"""The campaigns app in the admin."""

from campaigns.admin import campaign, delivery, staff  # noqa: F401
