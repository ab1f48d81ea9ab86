"""All URLs of the site."""

from django.contrib import admin
from django.urls import include, path

from config import views
from legacy_runs.addresses import ADDRESSES
from legacy_runs.urls import admin_routes

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("livez", views.livez, name="livez"),
    path("metrics", views.metrics, name="metrics"),
    *admin_routes(ADDRESSES),
    path("admin/", admin.site.urls),
    # The addresses of pages that refresh are tried first: each request tries all before its own.
    path("", include("operations.urls")),
    path("", include("accounts.urls")),
    path("", include("tenancy.urls")),
    path("", include("accounts.invitations.urls")),
    path("", include("accounts.group_roles.urls")),
    path("", include("accounts.access_tokens.urls")),
    path("", include("accounts.password_reset.urls")),
    path("", include("accounts.sign_in_links.urls")),
    path("", include("audit.urls")),
    path("", include("accounts.second_factor.urls")),
    path("", include("providers.urls")),
    path("", include("inventory.urls")),
    path("", include("backups.urls")),
    path("", include("restores.urls")),
    path("", include("notifications.urls")),
    path("", include("legacy_runs.urls")),
    path("", include("api.urls")),
]

handler400 = "tenancy.errors.bad_request"
handler403 = "tenancy.errors.forbidden"
handler404 = "tenancy.errors.not_found"
handler500 = "tenancy.errors.server_error"
