"""Django admin with our site."""

from django.contrib.admin.apps import AdminConfig


class SupportConfig(AdminConfig):
    default_site = "config.admin.SupportSite"
