"""Workspaces, their tenants, and the users who manage them."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from tenancy.clock import request_now
from tenancy.limits import AccessLimit
from tenancy.querysets import WorkspaceScopedQuerySet
from tenancy.roles import Role
from web.names import validate_name, visible_name


def validate_timezone(name: str) -> None:
    """Accept only the exact name of an IANA time zone; `ZoneInfo` would open other files too."""
    if name not in TIMEZONES:
        raise ValidationError(f"“{name}” is not a time zone such as Europe/Berlin or UTC.")


#: Every zone with a region, and UTC; `localtime`, `posixrules` and paths are not among them.
TIMEZONES = frozenset(
    name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC"
)


class User(AbstractUser):
    """A user account."""

    #: The zone of the times on pages; empty for that of the workspace.
    timezone = models.CharField(
        "time zone",
        max_length=64,
        default="",
        db_default="",
        blank=True,
        validators=[validate_timezone],
    )

    #: Whether single keys and Ctrl+K do something on a page.
    keyboard_shortcuts = models.BooleanField(default=True, db_default=True)

    #: Whether a service token acts as this user, who cannot sign in and is no person.
    is_service_account = models.BooleanField(default=False, db_default=False, editable=False)

    #: What an access token leaves of the rights of this user; None for a user of the pages.
    limit: AccessLimit | None = None

    class Meta(AbstractUser.Meta):
        db_table = "users"

    def clean(self) -> None:
        """Refuse names with invisible characters."""
        super().clean()
        errors = {}
        for field in ("username", "first_name", "last_name"):
            try:
                validate_name(getattr(self, field) or "")
            except ValidationError as error:
                errors[field] = error
        if errors:
            raise ValidationError(errors)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the user; names from an identity provider lose their invisible characters.

        Raises:
            TypeError: the user has the limit of an access token, which is no state of the account.
        """
        if self.limit is not None:
            raise TypeError("A user who is known by an access token is not saved.")
        self.first_name, self.last_name = map(visible_name, (self.first_name, self.last_name))
        super().save(*args, **kwargs)


class WorkspaceQuerySet(WorkspaceScopedQuerySet["Workspace"]):
    workspace_path = "id"


class Workspace(models.Model):
    """One organization of operators; no data crosses from one workspace to another."""

    #: The user for whom a page has loaded the workspace, and the role of that user, which is None
    #: with support access (`tenancy.http.workspace_or_404`).
    viewer_id: int | None = None
    viewer_role: str | None = None

    name = models.CharField(max_length=200, validators=[validate_name])
    slug = models.SlugField(max_length=60, unique=True)
    timezone = models.CharField(max_length=64, default="UTC", validators=[validate_timezone])
    #: Whether a second member must approve a restore before it is executed.
    restores_need_approval = models.BooleanField(default=False, db_default=False)
    #: Whether every member must have a second factor.
    requires_second_factor = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        db_table = "workspaces"
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("overview", args=[self.slug])

    def active_owners(self) -> models.QuerySet[Membership]:
        """Return the memberships of the owners who can sign in."""
        return self.memberships.filter(role=Role.OWNER, user__is_active=True)

    def latest_staff_changes(self) -> models.QuerySet[StaffChange]:
        """Return what staff changed about owners and members, as much as a page shows."""
        return self.staff_changes.all()[:50]

    def open_approval_off_request(self) -> ApprovalOffRequest | None:
        """Return the open request to switch off the approval of restores, if there is one."""
        if not self.restores_need_approval:
            return None
        return self.approval_off_requests.filter(ended_at=None).first()


class TenantStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"
    #: Hidden from lists; its runs and sets can be read, and no run starts.
    ARCHIVED = "archived", "Archived"


class TenantQuerySet(WorkspaceScopedQuerySet["Tenant"]):
    def active(self) -> TenantQuerySet:
        """Return the tenants on which operations can run."""
        return self.filter(status=TenantStatus.ACTIVE)

    def listed(self) -> TenantQuerySet:
        """Return the tenants that lists and menus show: those that are not archived."""
        return self.exclude(status=TenantStatus.ARCHIVED)


class Tenant(models.Model):
    """One Microsoft 365 tenant that a workspace manages."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="tenants")
    name = models.CharField(max_length=200, validators=[validate_name])
    external_id = models.UUIDField("Entra tenant id")
    status = models.CharField(
        max_length=20, choices=TenantStatus.choices, default=TenantStatus.ACTIVE
    )
    #: Who suspended, archived or resumed the tenant last, when and why; empty if no one did.
    status_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    status_changed_by_name = models.CharField(
        max_length=150, default="", db_default="", blank=True, editable=False
    )
    status_reason = models.CharField(
        max_length=300, default="", db_default="", blank=True, editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        db_table = "tenants"
        ordering = ("name", "id")
        constraints = (
            models.UniqueConstraint(
                "workspace",
                "external_id",
                name="tenants_once_per_workspace",
                violation_error_message="This workspace already has a tenant with that ID.",
            ),
            models.UniqueConstraint(fields=("id", "workspace"), name="tenants_id_workspace"),
            models.CheckConstraint(
                condition=models.Q(status__in=TenantStatus.values), name="tenants_status_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(status=TenantStatus.ARCHIVED)
                | models.Q(status_reason__regex=r"\S", status_changed_at__isnull=False),
                name="tenants_archived_for_a_reason",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("tenant_detail", args=[self.workspace.slug, self.pk])

    @property
    def is_active(self) -> bool:
        return self.status == TenantStatus.ACTIVE

    @property
    def is_archived(self) -> bool:
        return self.status == TenantStatus.ARCHIVED

    @property
    def inactive_reason(self) -> str:
        """The code of the reason why no operation starts on a tenant that is not active."""
        return f"tenant_{self.status}"


class MembershipQuerySet(models.QuerySet["Membership"]):
    def of_persons(self) -> MembershipQuerySet:
        """Return the memberships of users who sign in, without those of service accounts."""
        return self.filter(user__is_service_account=False)


class Membership(models.Model):
    """The role of a user in a workspace."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.READER)
    created_at = models.DateTimeField(auto_now_add=True)
    #: When the user joined or last got a higher role; a trigger sets it.
    role_since = models.DateTimeField(db_default=Now(), editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        db_table = "memberships"
        ordering = ("workspace", "user")
        constraints = (
            models.UniqueConstraint("user", "workspace", name="memberships_one_role"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="memberships_role_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}: {self.get_role_display()}"


class ApprovalOffRequest(models.Model):
    """A request to switch off the approval of restores: one owner asks, another one confirms.

    The triggers in `migrations/sql/approval_off.sql` enforce it.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="approval_off_requests"
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True
    )
    requested_by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=Now())
    #: When it takes effect without a confirmation, in a workspace that had one owner; else null.
    effective_at = models.DateTimeField(null=True, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    confirmed_by_name = models.CharField(max_length=200, default="", db_default="", blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    withdrawn_by_name = models.CharField(max_length=200, default="", db_default="", blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "approval_off_requests"
        verbose_name = "request to switch off approvals"
        verbose_name_plural = "requests to switch off approvals"
        ordering = ("-created_at", "-id")
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                fields=("workspace",),
                condition=models.Q(ended_at=None),
                name="approval_off_one_open_request",
            ),
        )

    def __str__(self) -> str:
        return f"Request of {self.requested_by_name} in {self.workspace}"

    @property
    def is_by_time(self) -> bool:
        """Whether it takes effect without a confirmation; not if a second owner has been added."""
        return self.effective_at is not None and self.workspace.active_owners().count() <= 1


class StaffChange(models.Model):
    """What staff changed about an owner or member on the administration site; append-only."""

    # The constraint in `migrations/sql/staff_changes.sql` deletes the entries with the workspace.
    workspace = models.ForeignKey(
        Workspace,
        on_delete=models.DO_NOTHING,
        related_name="staff_changes",
        db_constraint=False,
        db_index=False,
    )
    at = models.DateTimeField(db_default=Now())
    #: The user that was changed, and the member of staff.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True
    )
    user_name = models.CharField(max_length=150)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True
    )
    changed_by_name = models.CharField(max_length=150)
    text = models.CharField(max_length=300)

    class Meta:
        db_table = "staff_changes"
        ordering = ("-at", "-id")
        default_permissions = ("view",)
        indexes = (models.Index(fields=("workspace", "at"), name="staff_changes_ws"),)

    def __str__(self) -> str:
        return f"{self.changed_by_name}, {self.user_name}: {self.text}"


#: The database refuses more, whatever the setting says.
MAX_SUPPORT_HOURS = 24


class SupportAccessQuerySet(WorkspaceScopedQuerySet["SupportAccess"]):
    def active(self) -> SupportAccessQuerySet:
        """Return the accesses that allow to read now."""
        return self.filter(ended_at=None, expires_at__gt=Now())


class SupportAccess(models.Model):
    """Read-only access of a member of staff to a workspace, for a reason and for hours.

    It ends by its time, or when the user or an owner ends it. The triggers in
    `migrations/sql/support_access.sql` keep the rows as they are.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="support_accesses"
    )
    user = models.ForeignKey(
        User, on_delete=models.SET_NULL, related_name="support_accesses", null=True
    )
    user_name = models.CharField(max_length=150)
    reason = models.CharField(max_length=300, validators=[validate_name])
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    ended_by_name = models.CharField(max_length=150, default="", db_default="", blank=True)

    objects = SupportAccessQuerySet.as_manager()

    class Meta:
        db_table = "support_accesses"
        ordering = ("-created_at", "-id")
        verbose_name = "support access"
        verbose_name_plural = "support accesses"
        default_permissions = ("add", "view")
        constraints = (
            models.UniqueConstraint(
                fields=("user", "workspace"),
                condition=models.Q(ended_at=None),
                name="support_accesses_one_open",
            ),
            models.CheckConstraint(
                condition=models.Q(reason__regex=r"\S"), name="support_accesses_have_a_reason"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    expires_at__gt=models.F("created_at"),
                    expires_at__lte=models.F("created_at") + dt.timedelta(hours=MAX_SUPPORT_HOURS),
                ),
                name="support_accesses_end_within_a_day",
            ),
        )

    def __str__(self) -> str:
        return f"Support access of {self.user_name}"

    @property
    def is_active(self) -> bool:
        """Whether it allows to read now."""
        return self.ended_at is None and self.expires_at > request_now()
