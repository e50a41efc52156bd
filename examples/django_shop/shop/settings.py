"""What differs from `django-admin startproject`: the application, the middleware, CONVERSION_RELAY."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).parents[1]
SECRET_KEY = os.environ.get("SHOP_SECRET_KEY", "of-an-example-only")
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
LOGGING_CONFIG = None

INSTALLED_APPS = ["conversion_relay.frameworks.django", "shop"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "conversion_relay.frameworks.django.middleware.ConversionMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", str(BASE_DIR / "shop.db")),
        # The last two: Django 5.1 or newer.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"},
    }
}
CONVERSION_RELAY = {"DELIVER": True, "CONSENT_COOKIE": "marketing", "ENDPOINT": "https://relay.shop.example/events"}
