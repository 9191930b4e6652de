"""Who may do what with customers, beyond Django's four permissions."""

from django.http import HttpRequest


def may_import(request: HttpRequest) -> bool:
    """Tell whether this person may import: it adds customers and changes them."""
    return request.user.has_perms(
        ("customers.add_customer", "customers.change_customer", "customers.add_customerimport")
    )


def may_erase(request: HttpRequest) -> bool:
    """Tell whether this person may erase customers: Django's permission to delete them."""
    return request.user.has_perm("customers.delete_customer")


def source_of(request: HttpRequest) -> str:
    """Return the source of a change of consent made by this person."""
    return f"admin:{request.user.pk}"
