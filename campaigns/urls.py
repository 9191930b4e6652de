"""Addresses that providers call, and those of uploaded pictures."""

from django.urls import path, re_path

from campaigns.views import images, webhooks

app_name = "campaigns"
urlpatterns = [
    re_path(r"^i/(?P<digest>[0-9a-f]{64})\.(?P<encoding>png|jpeg)$", images.image, name="image"),
    path("webhooks/email/sendgrid/", webhooks.sendgrid_events, name="sendgrid-events"),
    path("webhooks/twilio/status/<uuid:public_id>/", webhooks.twilio_status, name="twilio-status"),
    path("webhooks/twilio/inbound/", webhooks.twilio_inbound, name="twilio-inbound"),
]
