"""Taking in a list: stored encrypted, its encoding and columns found out, nothing imported yet."""

from collections.abc import Iterable, Iterator

from django.contrib.auth.models import User
from django.db import transaction

from config.clock import database_now
from config.errors import DomainError
from customers.contact import holds_address
from customers.imports.cleaning import clean_channels
from customers.imports.forget_lists import forget_old_lists
from customers.imports.lease import Status
from customers.imports.mapping import Mapping, check_mapping, guess_mapping
from customers.imports.reading import EncodingDetector, open_list
from customers.imports.storage import open_upload, store_upload
from customers.models import CustomerImport
from customers.segments import normalise_tag


def upload_list(
    *, chunks: Iterable[bytes], file_name: str, user: User | None = None
) -> CustomerImport:
    """Store a list, with its columns mapped as far as their names tell.

    Raises DomainError ``unreadable_file``, and stores nothing, when it is no list. What is left of
    old lists is forgotten first.
    """
    forget_old_lists()
    # A name such as anna@example.com.csv would show an address.
    shown_name = "list.csv" if holds_address(file_name) else file_name
    detector = EncodingDetector()

    def watched() -> Iterator[bytes]:
        for chunk in chunks:
            detector.feed(chunk)
            yield chunk

    with transaction.atomic():
        customer_import = CustomerImport(
            file_name=shown_name[:200], created_by=user, touched_at=database_now()
        )
        customer_import.save()
        store_upload(customer_import, watched())
        customer_import.encoding = detector.encoding()
        header, records = open_list(open_upload(customer_import), customer_import.encoding)
        customer_import.delimiter = header.delimiter
        customer_import.mapping = guess_mapping(header.names)
        customer_import.rows_total = sum(1 for _ in records)
        customer_import.save()
    return customer_import


def set_up_import(
    *, import_id: int, mapping: Mapping, tags: Iterable[str], consent: Iterable[str]
) -> None:
    """Say what the columns are, which tags everyone gets, and for which channels consent exists.

    Raises DomainError ``no_key_column``, ``unknown_field``, ``invalid_mapping``, ``invalid_tag``,
    ``unknown_channel``, or ``not_possible_now`` when the import is already under way.
    """
    check_mapping(mapping)
    changed = CustomerImport.objects.filter(pk=import_id, status=Status.UPLOADED).update(
        mapping=mapping,
        tags=list(dict.fromkeys(normalise_tag(tag) for tag in tags)),
        consent=clean_channels(list(consent)),
        touched_at=database_now(),
    )
    if not changed:
        raise DomainError(
            "not_possible_now", "The import is already under way: look at its page again."
        )
