from django.apps import AppConfig


class DevConfig(AppConfig):
    """Makes the management commands of development available: demo data and the Graph sandbox."""

    name = "dev"
