"""Print the OpenAPI document of the API: `manage.py openapi_document > docs/openapi.json`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from api.document import document_text
from api.urls import api


class Command(BaseCommand):
    help = "Print the OpenAPI document of the API."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(document_text(api), ending="")
