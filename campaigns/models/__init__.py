"""The campaigns app's tables."""

from campaigns.models.campaign import Campaign
from campaigns.models.delivery import Delivery, Pace, SenderSlot, TestSend
from campaigns.models.events import ProviderEvent
from campaigns.models.heartbeat import Heartbeat
from campaigns.models.template import MessageTemplate

__all__ = [
    "Campaign",
    "Delivery",
    "Heartbeat",
    "MessageTemplate",
    "Pace",
    "ProviderEvent",
    "SenderSlot",
    "TestSend",
]
