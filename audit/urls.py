"""The addresses of the audit log."""

from django.urls import path

from audit import views

urlpatterns = [
    path("w/<slug:slug>/audit-log/", views.audit_log, name="audit_log"),
    path("w/<slug:slug>/audit-log/export/", views.audit_export, name="audit_export"),
]
