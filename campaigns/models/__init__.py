"""The campaigns app's tables."""

from campaigns.models.campaign import Campaign
from campaigns.models.delivery import Delivery, Pace, SenderSlot, TestSend
from campaigns.models.events import ProviderEvent
from campaigns.models.heartbeat import Heartbeat

__all__ = [
    "Campaign",
    "Delivery",
    "Heartbeat",
    "Pace",
    "ProviderEvent",
    "SenderSlot",
    "TestSend",
]
