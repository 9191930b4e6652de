"""Finds customers by what a person at a desk or a till knows of them."""

from django.db.models import Q

from config.errors import DomainError
from customers.contact import normalise_email, normalise_phone
from customers.models import Customer, CustomerQuerySet

MOST_FOUND = 10


def find_customers(*, text: str) -> list[Customer]:
    """Return up to ten customers with this full email, full phone number, or name.

    Addresses are encrypted, so a part of one finds nobody. Each word of a name may be a part of the
    first or of the last name.
    """
    words = text.split()
    if not words:
        return []
    customers: CustomerQuerySet = Customer.objects.alive()
    for normalise, looked_up in (
        (normalise_email, customers.with_email),
        (normalise_phone, customers.with_phone),
    ):
        try:
            found = list(looked_up(normalise(text)))
        except DomainError:
            continue
        if found:
            return found
    for word in words:
        customers = customers.filter(Q(first_name__icontains=word) | Q(last_name__icontains=word))
    return list(customers.order_by("last_name", "first_name", "pk")[:MOST_FOUND])
