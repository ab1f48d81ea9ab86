"""The idempotency keys of requests in Django admin, read-only."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from api.models import ApiSubmission
from tenancy.model_admin import ModelAdmin, ReadOnly


@admin.register(ApiSubmission)
class ApiSubmissionAdmin(ReadOnly, ModelAdmin[ApiSubmission]):
    list_display = ("submission_id", "run_id", "created_at")
    search_fields = ("=run_id",)
    ordering = ("-created_at", "-submission_id")

    def has_view_permission(self, request: HttpRequest, obj: ApiSubmission | None = None) -> bool:
        """Allow everyone who can view runs."""
        return request.user.has_perm("operations.view_operationrun")
