"""Django's admin with the site of ours."""

from django.contrib.admin.apps import AdminConfig


class SupportConfig(AdminConfig):
    default_site = "config.admin.SupportSite"
