"""Django settings. Every value that differs between installations comes from `config.env`."""

from datetime import timedelta

import environ
from celery.schedules import crontab
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from config import embedded, logs
from config.env import BASE_DIR, load_env

ENV = load_env()
INSTANCE = embedded.instance(BASE_DIR, ENV.home)

PRODUCTION = ENV.mode == "production"
DEBUG = False
SECRET_KEY = ENV.secret_key
BASE_URL = ENV.base_url
ALLOWED_HOSTS = [host.strip() for host in ENV.allowed_hosts.split(",")]
CSRF_TRUSTED_ORIGINS = [ENV.base_url]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "pgtrigger",
    "django_celery_beat",
    "axes",
    "django_structlog",
    "oauth2_provider",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "compliance",
    "segments",
    "campaigns",
    "config",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "axes.middleware.AxesMiddleware",  # turns a locked login into its page; has to stand last
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Data

DATABASES = {
    "default": {
        **environ.Env.db_url_config(ENV.database_url or INSTANCE.database_url),
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": ENV.cache_url or INSTANCE.cache_url,
    }
    if ENV.cache_url or ENV.broker_url is None
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}

# --- Time and language

USE_TZ = True
TIME_ZONE = ENV.time_zone
LANGUAGE_CODE = ENV.language
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]

# --- Keys (see compliance.keys)

MASTER_KEY = ENV.key("master_key")
DIGEST_KEY = ENV.key("digest_key")
TOKEN_KEY = ENV.key("token_key")
AUDIT_KEY = ENV.key("audit_key")
AUDIT_ORIGIN = f"{ENV.mail_domain}/audit"
CONTROLLER = ENV.controller
DEFAULT_REGION = ENV.default_region
SEGMENT_HISTORY_DAYS = ENV.segment_history_days
# When a segment deserves a warning: see segments.selectors.segment_warnings.
SEGMENT_SMALL = ENV.segment_small
SEGMENT_EVERYBODY = ENV.segment_everybody
SEGMENT_CONDITIONS = ENV.segment_conditions
SEGMENT_DEPTH = ENV.segment_depth
SEGMENT_COST = ENV.segment_cost
SEGMENT_ALIKE = ENV.segment_alike
SEGMENT_UNUSED_DAYS = ENV.segment_unused_days
SEGMENT_STALE_MINUTES = ENV.segment_stale_minutes

# --- Mail

_email = environ.Env.email_url_config(ENV.email_url)
EMAIL_BACKEND = _email["EMAIL_BACKEND"]
EMAIL_HOST = _email["EMAIL_HOST"]
EMAIL_PORT = _email["EMAIL_PORT"]
EMAIL_HOST_USER = _email["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS = _email.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _email.get("EMAIL_USE_SSL", False)
EMAIL_FILE_PATH = _email.get("EMAIL_FILE_PATH") or None
EMAIL_TIMEOUT = 30
DEFAULT_FROM_EMAIL = f"heed@{ENV.mail_domain}"
ALERT_ADDRESSES = [address.strip() for address in ENV.alert_addresses.split(",") if address.strip()]
MAIL_DOMAIN = ENV.mail_domain

# --- Celery: the alarm clock

CELERY_BROKER_URL = ENV.broker_url or INSTANCE.broker_url
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300} if "redis" in CELERY_BROKER_URL else {}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULER = "config.beat.SingleBeatScheduler"
CELERY_BEAT_SCHEDULE = {
    "campaigns: launch and dispatch what is due": {
        "task": "campaigns.tasks.tick",
        "schedule": 1.0,
        "options": {"expires": 10},  # while no worker listens, wake-up calls do not pile up
    },
    "campaigns: launch what was missed, put alarms right": {
        "task": "campaigns.tasks.reconcile_recurring",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "segments: follow up what changed about people": {
        "task": "segments.tasks.follow_up",
        "schedule": 1.0,
        "options": {"expires": 10},
    },
    "segments: refresh dynamic segments": {"task": "segments.tasks.refresh_segments", "schedule": 60.0},
    "segments: compute tags that are due": {
        "task": "segments.tasks.compute_tags",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "segments: count who carries tags": {"task": "segments.tasks.recount_tags", "schedule": 600.0},
    "segments: take in uploaded lists": {
        "task": "segments.tasks.take_in_uploads",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "segments: forget old entries and exits": {
        "task": "segments.tasks.forget_segment_history",
        "schedule": crontab(hour="2", minute="35"),
    },
    "segments: record the size of segments": {
        "task": "segments.tasks.record_segment_sizes",
        "schedule": crontab(hour="0", minute="5"),
    },
    "segments: recompute RFM": {
        "task": "segments.tasks.recompute_rfm",
        "schedule": crontab(hour="3", minute="15"),
    },
    "segments: prepare monthly partitions": {
        "task": "segments.tasks.prepare_partitions",
        "schedule": crontab(hour="2", minute="5"),
    },
    "compliance: seal the audit log": {"task": "compliance.tasks.seal_audit_log", "schedule": 60.0},
    "compliance: tell downstream systems": {
        "task": "compliance.tasks.tell_downstream_systems",
        "schedule": 10.0,
        "options": {"expires": 60},
    },
    "compliance: alert to what is about to be late": {
        "task": "compliance.tasks.escalate_propagation",
        "schedule": crontab(minute="*/10"),
    },
    "compliance: warn of requests about to be late": {
        "task": "compliance.tasks.warn_of_requests",
        "schedule": crontab(hour="8", minute="0"),
    },
    "compliance: expire consents": {"task": "compliance.tasks.expire_consents", "schedule": crontab(minute="10")},
}

# --- Admin and static files

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
UNFOLD = {
    "SITE_TITLE": "Heed",
    "SITE_HEADER": "Heed",
    "SITE_ICON": lambda _request: static("config/heed.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("config/heed.svg")},
    ],
    "SITE_SUBHEADER": _("Customer engagement with consent"),
    "SHOW_LANGUAGES": True,
    "DASHBOARD_CALLBACK": "config.dashboard.counts",
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": "config.navigation.sidebar"},
}

# --- API

OAUTH2_SCOPES = {
    "profiles:read": _("Read profiles"),
    "profiles:personal": _("See names and identifiers in profiles; every look is logged"),
    "profiles:write": _("Create and update profiles"),
    "profiles:merge": _("Merge profiles and undo merges"),
    "events:write": _("Record events"),
    "types:read": _("Read the declared types of events and attributes"),
    "consents:read": _("Read consents"),
    "consents:write": _("Record and withdraw consents"),
    "propagation:read": _("Ask what a downstream system has to act on"),
    "propagation:write": _("Acknowledge that a downstream system has acted"),
    "requests:read": _("Read the state of people's requests"),
    "requests:write": _("Hand in requests of people"),
    "segments:read": _("Read segments, their members and their history"),
    "segments:write": _("Create and change segments and upload members"),
    "tags:read": _("Read the definitions of tags"),
    "tags:write": _("Give tags to people and remove them"),
    "deliveries:read": _("Read deliveries"),
    "inbox:read": _("Read the in-app messages of people"),
    "inbox:write": _("Say that in-app messages were read"),
}
OAUTH2_PROVIDER_APPLICATION_MODEL = "compliance.ApiClient"
OAUTH2_PROVIDER = {
    "SCOPES": OAUTH2_SCOPES,
    "SCOPES_BACKEND_CLASS": "config.api_scopes.ClientScopes",
    "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
    # Tokens are kept as digests and taken from the header only (RFC 9700). The one grant: config.api_tokens.
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["oauth2_provider.contrib.rest_framework.OAuth2Authentication"],
    "DEFAULT_PERMISSION_CLASSES": ["oauth2_provider.contrib.rest_framework.TokenHasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "config.api_schema.ApiSchema",
    "EXCEPTION_HANDLER": "config.problems.problem_details",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Heed API",
    "VERSION": "v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},  # no badge from another host
    "POSTPROCESSING_HOOKS": [],  # enumerations stay where they are used, not components with invented names
    "OAUTH2_FLOWS": ["clientCredentials"],
    "OAUTH2_TOKEN_URL": "/api/oauth/token/",
}

# --- Security

# Ten wrong passwords for one name from one address lock both out for a quarter of an hour (OWASP ASVS 5.0, 6.3.1).
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_HANDLER = "axes.handlers.cache.AxesCacheHandler"  # forgets by itself
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_LOCKOUT_TEMPLATE = "config/locked.html"
AXES_VERBOSE = False
SESSION_COOKIE_AGE = 12 * 3600  # seconds: a working day
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION and ENV.base_url.startswith("https://")
SECURE_SSL_REDIRECT = False  # the proxy in front decides
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
SECURE_HSTS_SECONDS = 31_536_000 if SESSION_COOKIE_SECURE else 0
X_FRAME_OPTIONS = "DENY"

# --- Logs

logs.configure(as_json=PRODUCTION)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"mask_tokens": {"()": "config.logs.MaskTokens"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["mask_tokens"]},
    },
    "root": {"handlers": ["console"], "level": ENV.log_level},
    # A line or more for each task and each mail: beat alone would write two a second.
    "loggers": {name: {"level": "WARNING"} for name in ("celery.app.trace", "celery.worker.strategy", "mail.log")},
}
