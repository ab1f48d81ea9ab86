"""Enrollment restrictions, status pages and notifications, of several types.

Graph sets the priority of a new one; an action changes it.
"""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Action, Assign, PolicyKind, Restore, Service
from providers.graph.references import Reference

KIND = PolicyKind(
    key="enrollment_configuration",
    label="Enrollment configuration",
    label_plural="Enrollment configurations",
    list_path="/beta/deviceManagement/deviceEnrollmentConfigurations",
    read_permission="DeviceManagementServiceConfig.Read.All",
    write_permission="DeviceManagementServiceConfig.ReadWrite.All",
    read=with_detail,
    noise=Noise(strip=("deviceEnrollmentConfigurationType",)),
    restore=Restore.FULL,
    actions=(Action("priority", "setPriority", "priority"),),
    assign=Assign("enrollmentConfigurationAssignments"),
    references=(Reference("mobile_apps", "selectedMobileAppIds[]"),),
    service=Service(
        hidden=("assignments",),
        needs_type=True,
        read_only=("deviceEnrollmentConfigurationType", "priority"),
    ),
    exported_as=("EnrollmentRestrictions", "EnrollmentStatusPage"),
    samples=(
        {
            "@odata.type": "#microsoft.graph.windows10EnrollmentCompletionPageConfiguration",
            "displayName": "Status page of new laptops",
            "description": "",
            "deviceEnrollmentConfigurationType": "windows10EnrollmentCompletionPageConfiguration",
            "priority": 1,
            "version": 3,
            "showInstallationProgress": True,
            "blockDeviceSetupRetryByUser": False,
            "allowDeviceResetOnInstallFailure": True,
            "allowLogCollectionOnInstallFailure": True,
            "customErrorMessage": "Call the service desk.",
            "installProgressTimeoutInMinutes": 60,
            "allowDeviceUseOnInstallFailure": False,
            "selectedMobileAppIds": [],
            "trackInstallProgressForAutopilotOnly": True,
            "disableUserStatusTrackingAfterFirstUser": True,
            "roleScopeTagIds": ["0"],
            "assignments": [
                {
                    "id": "1",
                    "target": {"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"},
                }
            ],
        },
        {
            "@odata.type": "#microsoft.graph.deviceEnrollmentPlatformRestrictionConfiguration",
            "displayName": "No personal Windows devices",
            "description": "",
            "deviceEnrollmentConfigurationType": "singlePlatformRestriction",
            "priority": 1,
            "version": 1,
            "platformType": "windows",
            "platformRestriction": {
                "platformBlocked": False,
                "personalDeviceEnrollmentBlocked": True,
                "osMinimumVersion": "10.0.19045",
                "osMaximumVersion": "",
                "blockedManufacturers": [],
                "blockedSkus": [],
            },
            "roleScopeTagIds": ["0"],
            "assignments": [],
        },
    ),
)
