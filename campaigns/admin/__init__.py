"""The campaigns app in the admin."""

from campaigns.admin import campaign, delivery, image, staff, template  # noqa: F401
