"""Shops and tills by name."""

from config.errors import DomainError
from qrcodes.models import Location


def find_location(name: str) -> Location:
    """Return the location of this name, in any case; the very first name opens one.

    Raises DomainError ``unknown_location``, naming those there are: a slip must not open a shop.
    """
    wanted = " ".join(name.split())
    if not wanted or len(wanted) > 120 or not wanted.isprintable():
        raise DomainError("unknown_location", "A location needs a name of up to 120 characters.")
    location = Location.objects.filter(name__iexact=wanted).first()
    if location:
        return location
    names = list(Location.objects.values_list("name", flat=True)[:20])
    if not names:
        return Location.objects.get_or_create(name=wanted)[0]
    raise DomainError(
        "unknown_location",
        f"There is no location “{wanted}”: use {', '.join(f'“{known}”' for known in names)}, or "
        "add it in the admin under Locations.",
    )
