"""The campaigns app's tables."""

from campaigns.models.campaign import Campaign
from campaigns.models.delivery import Delivery, Pace, SenderSlot, TestSend
from campaigns.models.events import ProviderEvent
from campaigns.models.heartbeat import Heartbeat
from campaigns.models.image import CampaignImage, Image, ImageContent
from campaigns.models.series import Series
from campaigns.models.template import MessageTemplate

__all__ = [
    "Campaign",
    "CampaignImage",
    "Delivery",
    "Heartbeat",
    "Image",
    "ImageContent",
    "MessageTemplate",
    "Pace",
    "ProviderEvent",
    "SenderSlot",
    "Series",
    "TestSend",
]
