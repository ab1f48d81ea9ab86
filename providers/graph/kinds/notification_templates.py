"""Notification templates: the messages that compliance policies send, with their translations."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.policy_kind import Children, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="notification_templates",
    label="Notification template",
    label_plural="Notification templates",
    list_path="/beta/deviceManagement/notificationMessageTemplates",
    detail_params={"$expand": "localizedNotificationMessages"},
    read_permission="DeviceManagementServiceConfig.Read.All",
    write_permission="DeviceManagementServiceConfig.ReadWrite.All",
    read=with_detail,
    required=("localizedNotificationMessages",),
    restore=Restore.FULL,
    is_checked_by_graph=True,
    children=(Children("localizedNotificationMessages", key="locale"),),
    service=Service(hidden=("localizedNotificationMessages",)),
    exported_as=("Notifications",),
    samples=(
        {
            "displayName": "First warning",
            "description": "",
            "defaultLocale": "en-us",
            "brandingOptions": "includeCompanyLogo,includeCompanyName",
            "roleScopeTagIds": ["0"],
            "localizedNotificationMessages": [
                {
                    "id": "first-warning_en-us",
                    "locale": "en-us",
                    "subject": "Your device is not compliant",
                    "messageTemplate": "Open the Company Portal to see what to change.",
                    "isDefault": True,
                },
                {
                    "id": "first-warning_de-de",
                    "locale": "de-de",
                    "subject": "Ihr Gerät ist nicht konform",
                    "messageTemplate": "Das Unternehmensportal zeigt, was zu ändern ist.",
                    "isDefault": False,
                },
            ],
        },
    ),
)
