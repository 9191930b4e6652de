"""Handbill's settings, top to bottom, all from the environment. README lists the variables."""

import sys
import warnings
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy

from config import environment as read
from config.admin_theme import unfold_settings

BASE_DIR = Path(__file__).resolve().parent.parent
if (BASE_DIR / ".env").exists():
    read.env.read_env(BASE_DIR / ".env")

DEBUG = read.read_flag("DEBUG", default=False)
DATA_DIR = Path(read.read_text("DATA_DIR", str(BASE_DIR / "var")))

# --- Keys ---------------------------------------------------------------------------------------


def _key(name: str) -> str:
    value = read.read_text(name)
    if not value and DEBUG:
        value = read.own_keys(DATA_DIR / "dev-keys.env")[name]
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set. Set it as .env.example shows, or set DEBUG=true to try Handbill "
            "on this machine with keys that it makes for itself."
        )
    return value


SECRET_KEY = _key("SECRET_KEY")
if not DEBUG and len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("SECRET_KEY is too short: set it to at least 50 random characters.")
FIELD_ENCRYPTION_KEYS = read.read_encryption_keys(
    "FIELD_ENCRYPTION_KEYS", _key("FIELD_ENCRYPTION_KEYS")
)
BLIND_INDEX_KEY = read.decode_key("BLIND_INDEX_KEY", _key("BLIND_INDEX_KEY"))

# --- Addresses ----------------------------------------------------------------------------------

PUBLIC_BASE_URL = read.read_web_address("PUBLIC_BASE_URL", "http://127.0.0.1:8000" if DEBUG else "")
if not PUBLIC_BASE_URL:
    raise ImproperlyConfigured(
        "PUBLIC_BASE_URL is not set: set it to the address customers reach, such as "
        "https://coupons.example.com. QR codes and unsubscribe links carry it."
    )
_public_host = PUBLIC_BASE_URL.split("//", 1)[1].split("/", 1)[0].rsplit(":", 1)[0].strip("[]")
_behind_tls = PUBLIC_BASE_URL.startswith("https://")
ALLOWED_HOSTS = [
    host.strip()
    for host in read.read_text("ALLOWED_HOSTS", _public_host).split(",")
    if host.strip()
]
if DEBUG:
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = ["/".join(PUBLIC_BASE_URL.split("/", 3)[:3])]

# --- Django -------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "anymail",
    "django_celery_beat",
    "customers",
    "qrcodes",
    "campaigns",
    "analytics",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
# An uploaded list of customers must never reach the disk in clear (C-2).
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
IMPORT_MAX_BYTES = read.read_integer("IMPORT_MAX_BYTES", 50_000_000, minimum=1_000)
FILE_UPLOAD_MAX_MEMORY_SIZE = IMPORT_MAX_BYTES + 1_000_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

# --- Security -----------------------------------------------------------------------------------

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _behind_tls else None
SECURE_SSL_REDIRECT = _behind_tls
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if _behind_tls else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _behind_tls
SECURE_HSTS_PRELOAD = _behind_tls
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _behind_tls
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# How many of our own proxies stand in front and append to X-Forwarded-For.
TRUSTED_PROXIES = read.read_integer("TRUSTED_PROXIES", 1 if _behind_tls else 0, maximum=10)
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_SENSITIVE_PARAMETERS = ["password"]

# --- Database -----------------------------------------------------------------------------------

DATABASES = {"default": read.read_database(DATA_DIR / "handbill.sqlite3")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    Path(str(DATABASES["default"]["NAME"])).parent.mkdir(parents=True, exist_ok=True)
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 300
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

# --- Language, time, money ----------------------------------------------------------------------

LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["config.formats"]
TIME_ZONE = read.read_time_zone("TIME_ZONE", "UTC")
USE_TZ = True
CURRENCY = read.read_text("CURRENCY", "USD").upper()
if len(CURRENCY) != 3 or not CURRENCY.isascii() or not CURRENCY.isalpha():
    raise ImproperlyConfigured(f"CURRENCY is {CURRENCY!r}: set it to a code such as EUR or USD.")
DEFAULT_PHONE_REGION = read.read_text("DEFAULT_PHONE_REGION", "US").upper()
if len(DEFAULT_PHONE_REGION) != 2 or not DEFAULT_PHONE_REGION.isalpha():
    raise ImproperlyConfigured(
        f"DEFAULT_PHONE_REGION is {DEFAULT_PHONE_REGION!r}: set it to a country code such as DE."
    )

# --- The business -------------------------------------------------------------------------------

BUSINESS_NAME = read.read_text("BUSINESS_NAME", "Our shop")
BUSINESS_ADDRESS = read.read_text("BUSINESS_ADDRESS")
UNFOLD = unfold_settings(BUSINESS_NAME)

# --- Email --------------------------------------------------------------------------------------

PROVIDER_TIMEOUT_SECONDS = read.read_number("PROVIDER_TIMEOUT_SECONDS", 20, minimum=0.1)
_email_backends = {
    "capture": "campaigns.channels.capture.CaptureEmailBackend",
    "sendgrid": "anymail.backends.sendgrid.EmailBackend",
}
EMAIL_BACKEND = read.read_text("EMAIL_BACKEND", "capture")
EMAIL_BACKEND = _email_backends.get(EMAIL_BACKEND, EMAIL_BACKEND)
if "." not in EMAIL_BACKEND:
    raise ImproperlyConfigured(
        f"EMAIL_BACKEND is {EMAIL_BACKEND!r}: set it to capture, sendgrid or the dotted path of a "
        "Django email backend."
    )
DEFAULT_FROM_EMAIL = SERVER_EMAIL = read.read_text(
    "DEFAULT_FROM_EMAIL", "coupons@example.com" if DEBUG else ""
)
SENDGRID_WEBHOOK_VERIFICATION_KEY = read.read_verification_key("SENDGRID_WEBHOOK_VERIFICATION_KEY")
ANYMAIL = {
    # Whatever another of anymail's providers needs, such as ANYMAIL_MAILGUN_API_KEY (E-1).
    **{
        name.removeprefix("ANYMAIL_"): read.read_text(name)
        for name in read.env.ENVIRON
        if name.startswith("ANYMAIL_")
    },
    "SENDGRID_API_KEY": read.read_text("SENDGRID_API_KEY"),
    "SENDGRID_API_URL": read.read_web_address("SENDGRID_API_URL", "https://api.sendgrid.com/v3")
    + "/",
    "REQUESTS_TIMEOUT": PROVIDER_TIMEOUT_SECONDS,
    "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": SENDGRID_WEBHOOK_VERIFICATION_KEY,
}
EMAIL_TIMEOUT = PROVIDER_TIMEOUT_SECONDS  # of Django's SMTP backend
if _email_backends["sendgrid"] == EMAIL_BACKEND and not ANYMAIL["SENDGRID_API_KEY"]:
    raise ImproperlyConfigured(
        "SENDGRID_API_KEY is not set: set it, or set EMAIL_BACKEND=capture to keep emails on disk."
    )
EMAIL_PROVIDER_RATE_LIMIT = read.read_integer("EMAIL_PROVIDER_RATE_LIMIT", 0)
# Anymail's contract with SendGrid is checked by our own contract tests.
SILENCED_SYSTEM_CHECKS = ["anymail.W003"]
warnings.filterwarnings("ignore", message="django-anymail has dropped official support")

# --- SMS ----------------------------------------------------------------------------------------

SMS_BACKEND = read.read_choice("SMS_BACKEND", "capture", ["capture", "twilio"])
TWILIO_ACCOUNT_SID = read.read_text("TWILIO_ACCOUNT_SID")
TWILIO_AUTH_TOKEN = read.read_text("TWILIO_AUTH_TOKEN")
TWILIO_FROM_NUMBER = read.read_text("TWILIO_FROM_NUMBER")
TWILIO_MESSAGING_SERVICE_SID = read.read_text("TWILIO_MESSAGING_SERVICE_SID")
TWILIO_API_BASE_URL = read.read_web_address("TWILIO_API_BASE_URL", "https://api.twilio.com")
SMS_PROVIDER_RATE_LIMIT = read.read_integer("SMS_PROVIDER_RATE_LIMIT", 0)
# What the provider bills for one segment, in CURRENCY; None says no price.
SMS_PRICE_PER_SEGMENT = read.read_decimal("SMS_PRICE_PER_SEGMENT")
if SMS_BACKEND == "twilio":
    for _name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"):
        if not read.read_text(_name):
            raise ImproperlyConfigured(
                f"{_name} is not set: set it, or set SMS_BACKEND=capture to keep texts on disk."
            )
    if not (TWILIO_FROM_NUMBER or TWILIO_MESSAGING_SERVICE_SID):
        raise ImproperlyConfigured(
            "Neither TWILIO_FROM_NUMBER nor TWILIO_MESSAGING_SERVICE_SID is set: set one of them."
        )

# --- Messages and images ------------------------------------------------------------------------

_strategies = ["inline", "cid", "hosted"]
IMAGE_STRATEGY = read.read_choice("IMAGE_STRATEGY", "inline" if DEBUG else "hosted", _strategies)
QR_IMAGE_STRATEGY = read.read_choice("QR_IMAGE_STRATEGY", "inline" if DEBUG else "cid", _strategies)
QR_PAYLOAD = read.read_choice("QR_PAYLOAD", "url", ["url", "token"])
REDEMPTION_UNDO_MINUTES = read.read_integer("REDEMPTION_UNDO_MINUTES", 30, maximum=100_000)
CAPTURE_DIR = Path(read.read_text("CAPTURE_DIR", str(DATA_DIR / "captured")))

# --- Delivery -----------------------------------------------------------------------------------

LEASE_SECONDS = read.read_number("LEASE_SECONDS", 120, minimum=0.2)
if LEASE_SECONDS < 2 * PROVIDER_TIMEOUT_SECONDS:
    raise ImproperlyConfigured(
        f"LEASE_SECONDS is {LEASE_SECONDS:g}: set it to at least twice PROVIDER_TIMEOUT_SECONDS, "
        f"which is {PROVIDER_TIMEOUT_SECONDS:g}."
    )
UNCONFIRMED_GRACE_SECONDS = read.read_number("UNCONFIRMED_GRACE_SECONDS", 900)
PACING_WINDOW_SECONDS = read.read_number("PACING_WINDOW_SECONDS", 60, minimum=1, maximum=3600)
# Senders at work at once, over all worker processes; SQLite admits one writer at a time.
SENDER_SLOTS = read.read_integer(
    "SENDER_SLOTS",
    2 if "sqlite3" in str(DATABASES["default"]["ENGINE"]) else 8,
    minimum=1,
    maximum=1_000,
)
RETRY_BACKOFF_SECONDS = read.read_numbers("RETRY_BACKOFF_SECONDS", [60, 240, 960])
# What happens to a message that may or may not have arrived, when its grace is over (D-6): try it
# again, or wait for a person.
UNCONFIRMED_POLICY = {
    "email": read.read_choice("UNCONFIRMED_EMAILS", "retry", ["retry", "wait"]),
    "sms": read.read_choice("UNCONFIRMED_SMS", "wait", ["retry", "wait"]),
}
# So many messages that fail one after another pause their campaign (D-9); 0 is never.
FAILURES_BEFORE_PAUSE = read.read_integer("FAILURES_BEFORE_PAUSE", 20, maximum=1_000_000)
# Texts leave within these hours of the customer's own time zone (D-10); None is at any hour.
SMS_SENDING_HOURS = read.read_hours("SMS_SENDING_HOURS", "08:00-21:00")
# Whoever got (messages of) so many campaigns in so many days is skipped; None skips nobody.
FREQUENCY_CAP = read.read_frequency("FREQUENCY_CAP")

# --- Celery -------------------------------------------------------------------------------------

REDIS_URL = read.read_text("REDIS_URL")
BROKER_DIR = Path(read.read_text("BROKER_DIR", str(DATA_DIR / "broker")))
CELERY_BROKER_URL = REDIS_URL or "filesystem://localhost/"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object]
if REDIS_URL:
    read.require_redis_address("REDIS_URL", REDIS_URL)
    _broker_timeout = read.read_number("BROKER_TIMEOUT_SECONDS", 10, minimum=0.1, maximum=60)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "socket_timeout": _broker_timeout,
        "socket_connect_timeout": min(3, _broker_timeout),
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": True,
    }
    CELERY_WORKER_PREFETCH_MULTIPLIER = 1
else:
    from config import filebroker

    filebroker.prepare(BROKER_DIR)
    CELERY_BROKER_TRANSPORT_OPTIONS = filebroker.transport_options(BROKER_DIR)
    CELERY_BROKER_TRANSPORT = "config.filebroker:Transport"
    # A prefetch of one costs 12 s of latency on the file transport.
    CELERY_WORKER_PREFETCH_MULTIPLIER = 4
    CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
    CELERY_WORKER_CONCURRENCY = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_ACKS_LATE = False
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
# A worker judges this by its own clock, so a short time would have one with a wrong clock drop the
# others' messages. A pile of late ones is cheap: sweeps take turns.
_EXPIRES = {"expires": 86_400}
CELERY_BEAT_SCHEDULE = {
    "tick": {"task": "campaigns.tick", "schedule": 5, "options": _EXPIRES},
    "imports": {"task": "customers.tend_imports", "schedule": 30, "options": _EXPIRES},
}
# HTTP timeout < soft limit < hard limit < lease (O-4).
_calling_limits = {
    "soft_time_limit": LEASE_SECONDS / 4 + PROVIDER_TIMEOUT_SECONDS * 1.3,
    "time_limit": LEASE_SECONDS / 4 + PROVIDER_TIMEOUT_SECONDS * 1.4,
}
CELERY_TASK_ANNOTATIONS = {
    "campaigns.send": _calling_limits,
    "campaigns.send_tests": _calling_limits,
}

# --- Logs ---------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "line"}
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # One line per request would carry codes and signed links.
        "django.server": {"handlers": [], "propagate": False},
        "axes": {"level": "WARNING"},
    },
}
