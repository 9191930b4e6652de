"""The campaigns app's tables."""

from campaigns.models.campaign import Campaign
from campaigns.models.delivery import Delivery, Pace, SenderSlot, TestSend

__all__ = ["Campaign", "Delivery", "Pace", "SenderSlot", "TestSend"]
