"""Who we may talk to: customers, their segments and the history of their consent."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from customers.encryption import blind_index, decrypt, encrypt

EMAIL_PLACE = "customers_customer.email"
PHONE_PLACE = "customers_customer.phone"


class Channel(models.TextChoices):
    """How a message reaches a customer."""

    EMAIL = "email", "Email"
    SMS = "sms", "SMS"


class ConsentAction(models.TextChoices):
    """What happened to the right to write to a customer on one channel."""

    OPT_IN = "opt_in", "Subscribed"
    OPT_OUT = "opt_out", "Unsubscribed"
    BOUNCE = "bounce", "Address does not work"
    COMPLAINT = "complaint", "Reported as spam"
    ERASED = "erased", "Erased"


class Segment(models.Model):
    """A named group of customers: those who carry the tag of this name (S-1)."""

    class Kind(models.TextChoices):
        """How membership is decided."""

        TAG = "tag", "Tag"

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.TAG)
    description = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class CustomerQuerySet(models.QuerySet["Customer"]):
    """Questions one asks about customers."""

    def reachable_by(self, channel: str) -> Self:
        """Keep those who have an address for ``channel`` and take messages on it."""
        return self.filter(**{f"{channel}_subscribed": True}).exclude(
            **{f"{ADDRESS_FIELD[channel]}_index": None}
        )

    def in_segments(self, segments: "models.QuerySet[Segment] | list[Segment]") -> Self:
        """Keep those who belong to any of ``segments``, each once."""
        members = CustomerTag.objects.filter(segment__in=segments).values("customer_id")
        return self.filter(pk__in=members)

    def not_in_segments(self, segments: "models.QuerySet[Segment] | list[Segment]") -> Self:
        """Drop those who belong to any of ``segments``."""
        members = CustomerTag.objects.filter(segment__in=segments).values("customer_id")
        return self.exclude(pk__in=members)

    def alive(self) -> Self:
        """Drop those who were erased."""
        return self.filter(erased_at=None)

    def with_email(self, address: str) -> Self:
        """Keep the one with this normalised address."""
        return self.filter(email_index=blind_index(address, place=EMAIL_PLACE))

    def with_phone(self, number: str) -> Self:
        """Keep the one with this E.164 number."""
        return self.filter(phone_index=blind_index(number, place=PHONE_PLACE))


# Which pair of columns holds the address of a channel.
ADDRESS_FIELD = {Channel.EMAIL.value: "email", Channel.SMS.value: "phone"}


class Customer(models.Model):
    """A person. Email and phone are ciphertexts; look-up goes through their blind indexes (C-2).

    Set them with ``set_email`` and ``set_phone`` only. ``str()`` never shows an address: admin log,
    messages and delete pages copy it.
    """

    first_name = models.CharField(max_length=120, blank=True)
    last_name = models.CharField(max_length=120, blank=True)
    external_id = models.CharField(
        max_length=120, null=True, blank=True, help_text="Its id in the till system."
    )
    email_encrypted = models.TextField(blank=True, editable=False)
    email_index = models.CharField(max_length=64, null=True, editable=False)
    phone_encrypted = models.TextField(blank=True, editable=False)
    phone_index = models.CharField(max_length=64, null=True, editable=False)
    attributes = models.JSONField(
        default=dict,
        blank=True,
        help_text="Free fields, usable in messages as customer.attributes.",
    )
    language = models.CharField(max_length=12, blank=True, help_text="A code such as en or pt-BR.")
    time_zone = models.CharField(max_length=64, blank=True, help_text="Such as Europe/Berlin.")

    email_subscribed = models.BooleanField(default=False, editable=False)
    email_consent_at = models.DateTimeField(null=True, editable=False)
    email_consent_action = models.CharField(
        max_length=10, choices=ConsentAction.choices, blank=True, editable=False
    )
    email_consent_source = models.CharField(max_length=120, blank=True, editable=False)
    sms_subscribed = models.BooleanField(default=False, editable=False)
    sms_consent_at = models.DateTimeField(null=True, editable=False)
    sms_consent_action = models.CharField(
        max_length=10, choices=ConsentAction.choices, blank=True, editable=False
    )
    sms_consent_source = models.CharField(max_length=120, blank=True, editable=False)

    tags: "models.ManyToManyField[Segment, CustomerTag]" = models.ManyToManyField(
        Segment, through="CustomerTag", related_name="customers"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    erased_at = models.DateTimeField(null=True, editable=False)

    objects = CustomerQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["last_name", "first_name"], name="customer_name"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Not unique=True: on PostgreSQL that makes a second index each, for LIKE.
            models.UniqueConstraint(fields=["external_id"], name="customer_external_id_once"),
            models.UniqueConstraint(fields=["email_index"], name="customer_email_once"),
            models.UniqueConstraint(fields=["phone_index"], name="customer_phone_once"),
            models.CheckConstraint(
                condition=(Q(email_index=None) & Q(email_encrypted=""))
                | (Q(email_index__isnull=False) & ~Q(email_encrypted="")),
                name="customer_email_with_index",
            ),
            models.CheckConstraint(
                condition=(Q(phone_index=None) & Q(phone_encrypted=""))
                | (Q(phone_index__isnull=False) & ~Q(phone_encrypted="")),
                name="customer_phone_with_index",
            ),
            models.CheckConstraint(
                condition=Q(email_index__isnull=False)
                | Q(phone_index__isnull=False)
                | Q(erased_at__isnull=False),
                name="customer_has_address",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name or f"Customer {self.pk}"

    @property
    def full_name(self) -> str:
        """First and last name, as far as known."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def email(self) -> str:
        """The address in clear, or an empty text. Raises DecryptionError without its key."""
        return decrypt(self.email_encrypted, place=EMAIL_PLACE)

    @property
    def phone(self) -> str:
        """The E.164 number in clear, or an empty text. Raises DecryptionError without its key."""
        return decrypt(self.phone_encrypted, place=PHONE_PLACE)

    def set_email(self, address: str) -> None:
        """Set ciphertext and index together from a normalised address; empty removes it."""
        self.email_encrypted = encrypt(address, place=EMAIL_PLACE)
        self.email_index = blind_index(address, place=EMAIL_PLACE) if address else None

    def set_phone(self, number: str) -> None:
        """Set ciphertext and index together from an E.164 number; empty removes it."""
        self.phone_encrypted = encrypt(number, place=PHONE_PLACE)
        self.phone_index = blind_index(number, place=PHONE_PLACE) if number else None

    def address_for(self, channel: str) -> str:
        """Return the address in clear that ``channel`` writes to, or an empty text."""
        return self.email if channel == Channel.EMAIL else self.phone

    def takes(self, channel: str) -> bool:
        """Tell whether a message on ``channel`` may be sent to this customer now."""
        return not self.exclusion_reason(channel)

    def exclusion_reason(self, channel: str) -> str:
        """Return why ``channel`` must not be used: no_address, unsubscribed, bounced or nothing."""
        if not getattr(self, f"{ADDRESS_FIELD[channel]}_index"):
            return "no_address"
        if getattr(self, f"{channel}_subscribed"):
            return ""
        action = getattr(self, f"{channel}_consent_action")
        return "bounced" if action == ConsentAction.BOUNCE else "unsubscribed"


class CustomerTag(models.Model):
    """One tag on one customer."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["segment", "customer"], name="customer_tag_once"),
        ]

    def __str__(self) -> str:
        return f"Tag {self.pk}"


class ConsentEvent(models.Model):
    """One change of consent; append-only. Customer's flags follow it in the same transaction."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="consent_events")
    channel = models.CharField(max_length=5, choices=Channel.choices)
    action = models.CharField(max_length=10, choices=ConsentAction.choices)
    source = models.CharField(max_length=120, help_text="Where it came from, such as import:7.")
    at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.get_channel_display()}: {self.get_action_display()}"


class CustomerImport(models.Model):
    """One uploaded list: how to read it, how far it is, what came of it.

    The file itself and its rejected rows are encrypted ``ImportPart`` rows. Status, lease and
    counts are written by conditional updates only (``customers/imports``).
    """

    class Status(models.TextChoices):
        """How far it is."""

        UPLOADED = "uploaded", "Waiting for you"
        CHECKING = "checking", "Being checked"
        CHECKED = "checked", "Checked"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Stopped by an error"
        DISCARDED = "discarded", "Discarded"

    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    file_name = models.CharField(max_length=200)
    encoding = models.CharField(max_length=20, blank=True, editable=False)
    delimiter = models.CharField(max_length=1, blank=True, editable=False)
    # Field → positions of its columns: header texts stay in the encrypted file.
    mapping = models.JSONField(default=dict)
    tags = models.JSONField(default=list)
    consent = models.JSONField(default=list, help_text="Channels for which consent was stated.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.UPLOADED)
    error = models.CharField(max_length=300, blank=True)
    rows_total = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    touched_at = models.DateTimeField(
        default=timezone.now, help_text="When someone or something last worked on it."
    )
    lease_token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        verbose_name = "import"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(lease_token=None) | Q(status__in=["checking", "running"]),
                name="customer_import_lease_while_working",
            ),
        ]

    def __str__(self) -> str:
        return f"Import {self.pk}"

    def as_figures(self) -> dict[str, Any]:
        """Return the counts under the names of the command contract."""
        return {
            "rows": self.rows_done,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected": self.rejected,
        }


class ImportPart(models.Model):
    """A piece of an import's file or of its rejected rows, encrypted; gone when no longer needed.

    Pieces keep memory flat and let rejected rows be added in the transaction that rejects them.
    """

    class Kind(models.TextChoices):
        """What it is a piece of."""

        UPLOAD = "upload", "The file"
        REJECTS = "rejects", "Rejected rows"

    customer_import = models.ForeignKey(
        CustomerImport, on_delete=models.CASCADE, related_name="parts"
    )
    kind = models.CharField(max_length=7, choices=Kind.choices)
    number = models.PositiveIntegerField()
    content = models.BinaryField(editable=False)

    class Meta:
        ordering = ("number",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["customer_import", "kind", "number"], name="import_part_once"
            ),
        ]

    def __str__(self) -> str:
        return f"Part {self.pk}"

    @property
    def place(self) -> str:
        """Where the ciphertext belongs: it decrypts nowhere else."""
        owner = f"{self.customer_import_id}/{self.kind}/{self.number}"
        return f"customers_importpart.content/{owner}"
