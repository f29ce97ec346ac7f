"""Django settings; everything that a person may set comes from `netadmin.environment`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.urls import reverse_lazy

from netadmin.environment import Environment
from workers.checkpoints import BACKSTOP
from workers.tracing import OURS

ENVIRONMENT = Environment.read()
BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = ENVIRONMENT.names
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "apps.common",
    "apps.events",
    "apps.hosts",
    "apps.ipam",
    "apps.containers",
    "apps.networks",
    "apps.delivery",
    "apps.connectivity",
    "apps.accounts",
    "apps.api",
    "apps.docker_api",
    "apps.panel",
]
MIDDLEWARE = [
    "netadmin.proxies.Proxies",
    "django.middleware.security.SecurityMiddleware",
    "netadmin.policies.Policies",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "apps.api.rehearsals.RefuseRehearsal",
]
ROOT_URLCONF = "netadmin.urls"
ASGI_APPLICATION = "netadmin.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
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


def _database() -> dict[str, Any]:
    parts = ENVIRONMENT.database
    if parts is None:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": ENVIRONMENT.state_dir / "netadmin.sqlite3",
            # Each thread and worker keeps its own.
            "CONN_MAX_AGE": None,
            # Without IMMEDIATE a transaction that reads and then writes fails under load instead of waiting.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8000;"
                # The server worker works the log off, so that no request waits for the disk.
                f"PRAGMA wal_autocheckpoint={BACKSTOP};",
            },
        }
    # psycopg is there only where it is needed.
    from netadmin.pooling import CONNECTION, POOL, try_again_soon

    try_again_soon()
    return {
        "ENGINE": "django.db.backends.postgresql",
        **parts,
        # A request that waits for its host keeps its thread, and must not keep a connection.
        "OPTIONS": {**CONNECTION, "pool": dict(POOL)},
        # One more round trip when a connection is taken: else each that a restart of PostgreSQL has ended costs
        # somebody a request, or the server's worker a report.
        "CONN_HEALTH_CHECKS": True,
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["apps.accounts.passwords.PasswordBackend"]
LOGIN_URL = "admin:login"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = int(ENVIRONMENT.session_hours * 3600)
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENVIRONMENT.behind_tls
if ENVIRONMENT.behind_tls:
    # Only a proxy of ours can say so: see netadmin.proxies.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
    CSRF_TRUSTED_ORIGINS = [ENVIRONMENT.url]
# W008: sending people on to https is the proxy's; the Unix socket and machines that join speak plain HTTP.
# W005, W021: what else is below our domain's name is not ours to bind to https.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
DASHBOARD = BASE_DIR / "frontend" / "dist"
STATICFILES_DIRS = [("ui", DASHBOARD)] if DASHBOARD.is_dir() else []
# The admin's and the API pages' files are served straight from their packages: nothing to collect before a start.
WHITENOISE_USE_FINDERS = True
# Vite names these by their content.
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/ui/assets/"

CHANNEL_LAYERS = {
    "default": {
        # The layer that Channels documents first closes idle sockets with redis-py 8; this one does not.
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [ENVIRONMENT.channel_url], "prefix": "netadmin:channels"},
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.LocalAdministrator",
        "apps.accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["apps.accounts.permissions.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.api.parsers.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "apps.api.schema.Schema",
    "DEFAULT_FILTER_BACKENDS": ["apps.api.filters.StrictFilters"],
    "DEFAULT_PAGINATION_CLASS": "apps.api.pagination.Pages",
    "EXCEPTION_HANDLER": "apps.api.errors.answer",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "netadmin",
    "DESCRIPTION": "Docker's network commands for every Linux host you own, from one place.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer", "bearerFormat": "nad_<key>.<secret>"},
            "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
        }
    },
    "ENUM_NAME_OVERRIDES": {
        "HostState": "apps.api.representations.HOST_STATES",
        "RowState": "apps.api.representations.STATES",
        "ContainerState": "apps.containers.models.Container.State",
        "ContainerWanted": "apps.containers.models.Container.Wanted",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}


def _menu(title: str, **entries: str) -> dict[str, Any]:
    """A group of the admin's menu; `entries`: what it says, by the name of the model's pages."""
    items = [
        {"title": text, "link": reverse_lazy(f"admin:{model}_changelist"), "permission": _may_see(model)}
        for model, text in entries.items()
    ]
    return {"title": title, "items": items}


def _may_see(model: str) -> Callable[[Any], bool]:
    return lambda request: not model.startswith(("auth_", "accounts_")) or request.user.is_superuser


UNFOLD = {
    "LOGIN": {"form": "apps.panel.sign_in.SignInForm"},
    "SITE_TITLE": "netadmin",
    "SITE_HEADER": "netadmin",
    "SITE_URL": "/",
    "SIDEBAR": {
        "navigation": [
            _menu(
                "Networks",
                networks_network="Networks",
                containers_container="Containers",
                networks_endpoint="Endpoints",
            ),
            _menu("Machines", hosts_host="Hosts"),
            _menu("Addresses", ipam_pool="Pools", ipam_subnet="Subnets", ipam_address="Addresses"),
            _menu("History", delivery_operation="Changes"),
            _menu(
                "Accounts",
                auth_user="People",
                auth_group="Teams",
                accounts_grant="Grants",
                accounts_apitoken="Tokens",
                accounts_failure="Failed sign-ins",
            ),
        ]
    },
}

NETADMIN_ANSWER_TIMEOUT = 15.0
"""Seconds a request waits for the host before it answers 202."""

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"ours": {"()": "workers.tracing.make_formatter", "form": ENVIRONMENT.log_format}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "ours"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        **{name: {"level": ENVIRONMENT.log_level.upper()} for name in OURS},
        # What a caller did wrong is said to the caller.
        "django.request": {"level": "ERROR"},
        # So is a wrong name, for which anybody could fill the log.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
