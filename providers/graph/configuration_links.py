"""The links of each type of device configuration profile to other objects, by navigation property.

Graph returns a link only when it is asked for it, under the path of the profile, and binds one by its
address. `[]` marks a property that leads to several objects.

Source: the models of msgraph-beta-sdk 1.66.0 (October 2026), which Microsoft generates from the
metadata of Graph's beta version: every property of a subtype of `deviceConfiguration` whose type is
an entity, without the states of devices and the access controls, which an action writes. Terraform's
provider for Microsoft 365 and Microsoft365DSC bind the certificates in the same way (November 2026).
Not tested against the live service.
"""

from __future__ import annotations

#: The properties that types have in common, and these types.
_LINKS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("derivedCredentialSettings",),
        (
            "androidDeviceOwnerDerivedCredentialAuthenticationConfiguration",
            "iosDerivedCredentialAuthenticationConfiguration",
        ),
    ),
    (
        (
            "derivedCredentialSettings",
            "identityCertificateForClientAuthentication",
            "rootCertificateForServerValidation",
            "rootCertificatesForServerValidation[]",
        ),
        ("androidDeviceOwnerEnterpriseWiFiConfiguration",),
    ),
    (
        ("rootCertificate",),
        (
            "androidDeviceOwnerImportedPFXCertificateProfile",
            "androidDeviceOwnerPkcsCertificateProfile",
            "androidDeviceOwnerScepCertificateProfile",
            "androidForWorkImportedPFXCertificateProfile",
            "androidForWorkPkcsCertificateProfile",
            "androidForWorkScepCertificateProfile",
            "androidImportedPFXCertificateProfile",
            "androidPkcsCertificateProfile",
            "androidScepCertificateProfile",
            "androidWorkProfilePkcsCertificateProfile",
            "androidWorkProfileScepCertificateProfile",
            "aospDeviceOwnerPkcsCertificateProfile",
            "aospDeviceOwnerScepCertificateProfile",
            "iosScepCertificateProfile",
            "macOSScepCertificateProfile",
            "windows81SCEPCertificateProfile",
            "windowsPhone81SCEPCertificateProfile",
        ),
    ),
    (
        ("derivedCredentialSettings", "identityCertificate"),
        ("androidDeviceOwnerVpnConfiguration", "iosVpnConfiguration", "iosikEv2VpnConfiguration"),
    ),
    (
        ("identityCertificate", "smimeSigningCertificate"),
        ("androidEasEmailProfileConfiguration",),
    ),
    (
        ("identityCertificateForClientAuthentication", "rootCertificateForServerValidation"),
        (
            "androidEnterpriseWiFiConfiguration",
            "androidForWorkEnterpriseWiFiConfiguration",
            "androidWorkProfileEnterpriseWiFiConfiguration",
            "aospDeviceOwnerEnterpriseWiFiConfiguration",
            "iosWiredNetworkConfiguration",
            "macOSWiredNetworkConfiguration",
        ),
    ),
    (
        ("identityCertificate",),
        (
            "androidForWorkGmailEasConfiguration",
            "androidForWorkNineWorkEasConfiguration",
            "androidForWorkVpnConfiguration",
            "androidVpnConfiguration",
            "androidWorkProfileGmailEasConfiguration",
            "androidWorkProfileNineWorkEasConfiguration",
            "androidWorkProfileVpnConfiguration",
            "macOSVpnConfiguration",
            "windows10VpnConfiguration",
            "windowsPhone81VpnConfiguration",
        ),
    ),
    (
        ("identityCertificateForClientAuthentication", "singleSignOnExtensionPkinitCertificate"),
        ("iosDeviceFeaturesConfiguration",),
    ),
    (
        (
            "derivedCredentialSettings",
            "identityCertificate",
            "smimeEncryptionCertificate",
            "smimeSigningCertificate",
        ),
        ("iosEasEmailProfileConfiguration",),
    ),
    (
        (
            "derivedCredentialSettings",
            "identityCertificateForClientAuthentication",
            "rootCertificatesForServerValidation[]",
        ),
        ("iosEnterpriseWiFiConfiguration",),
    ),
    (
        ("singleSignOnExtensionPkinitCertificate",),
        ("macOSDeviceFeaturesConfiguration",),
    ),
    (
        (
            "identityCertificateForClientAuthentication",
            "rootCertificateForServerValidation",
            "rootCertificatesForServerValidation[]",
        ),
        ("macOSEnterpriseWiFiConfiguration",),
    ),
    (
        ("networkAccessConfigurations[]",),
        ("windowsDomainJoinConfiguration",),
    ),
    (
        (
            "identityCertificateForClientAuthentication",
            "rootCertificateForClientValidation",
            "rootCertificatesForServerValidation[]",
        ),
        ("windowsWifiEnterpriseEAPConfiguration",),
    ),
    (
        (
            "identityCertificateForClientAuthentication",
            "rootCertificateForClientValidation",
            "rootCertificatesForServerValidation[]",
            "secondaryIdentityCertificateForClientAuthentication",
            "secondaryRootCertificateForClientValidation",
        ),
        ("windowsWiredNetworkConfiguration",),
    ),
    (
        ("rootCertificatesForClientValidation[]", "rootCertificatesForServerValidation[]"),
        ("windowsZtdnsConfiguration",),
    ),
)

#: The properties of each type, without its prefix.
LINKS: dict[str, tuple[str, ...]] = {name: links for links, names in _LINKS for name in names}
