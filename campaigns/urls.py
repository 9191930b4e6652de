"""Addresses that providers call."""

from django.urls import path

from campaigns.views import webhooks

app_name = "campaigns"
urlpatterns = [
    path("webhooks/email/sendgrid/", webhooks.sendgrid_events, name="sendgrid-events"),
    path("webhooks/twilio/status/<uuid:public_id>/", webhooks.twilio_status, name="twilio-status"),
    path("webhooks/twilio/inbound/", webhooks.twilio_inbound, name="twilio-inbound"),
]
