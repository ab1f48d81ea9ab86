"""The names in a seeded tenant. They are realistic, and not those of a real tenant."""

SETTINGS_POLICIES = (
    ("Windows - Defender Antivirus - Baseline", "defender"),
    ("Windows - BitLocker - Silent encryption", "bitlocker"),
    ("Windows - Security baseline 24H2", "baseline"),
    ("Windows - Attack surface reduction rules", "defender"),
    ("Windows - Firewall - All profiles", "firewall"),
    ("Windows - Edge - Security", "edge"),
    ("Windows - Edge - User experience", "edge"),
    ("Windows - OneDrive - Known folder move", "onedrive"),
    ("Windows - Windows LAPS", "laps"),
    ("Windows - Device lock and Windows Hello", "devicelock"),
    ("Windows - Delivery Optimization", "deliveryoptimization"),
    ("Windows - Microsoft 365 Apps - Security", "office"),
    ("Windows - Microsoft 365 Apps - Updates", "office"),
    ("Windows - Power and sleep", "power"),
    ("Windows - Start menu and taskbar", "start"),
    ("Windows - Local security options", "baseline"),
    ("Windows - Audit policy", "audit"),
    ("Windows - Credential Guard", "deviceguard"),
    ("Windows - Removable storage", "storage"),
    ("Windows - Privacy and telemetry", "privacy"),
    ("Windows - Windows Update - Restart behavior", "update"),
    ("Windows - Kiosk reception", "experience"),
    ("macOS - FileVault", "filevault"),
    ("macOS - Login window", "macos"),
    ("macOS - Software update", "macos"),
    ("macOS - Microsoft Defender", "macos"),
    ("iOS - Restrictions - Corporate devices", "ios"),
    ("Android - Fully managed restrictions", "android"),
)

#: Settings by area; the definition ids have the form of Microsoft's.
_AREAS = {
    "defender": (
        "allowarchivescanning allowbehaviormonitoring allowcloudprotection allowemailscanning "
        "allowfullscanonmappednetworkdrives allowfullscanremovabledrivescanning "
        "allowioavprotection allowrealtimemonitoring allowscanningnetworkfiles "
        "allowscriptscanning allowuseruiaccess avgcpuloadfactor checkforsignaturesbeforerunningscan "
        "cloudblocklevel cloudextendedtimeout daystoretaincleanedmalware disablecatchupfullscan "
        "disablecatchupquickscan enablelowcpupriority enablenetworkprotection puaprotection "
        "realtimescandirection scanparameter schedulequickscantime schedulescanday "
        "schedulescantime signatureupdateinterval submitsamplesconsent"
    ),
    "bitlocker": (
        "requiredeviceencryption allowwarningforotherdiskencryption "
        "allowstandarduserencryption configurerecoverypasswordrotation "
        "encryptionmethodbydrivetype systemdrivesrequirestartupauthentication "
        "systemdrivesminimumpinlength systemdrivesrecoveryoptions fixeddrivesrecoveryoptions "
        "fixeddrivesrequireencryption removabledrivesrequireencryption "
        "identificationfield systemdrivesenhancedpin"
    ),
    "firewall": (
        "enablefirewall defaultinboundaction defaultoutboundaction disablestealthmode "
        "disableinboundnotifications allowlocalpolicymerge allowlocalipsecpolicymerge "
        "enablelogdroppedpackets enablelogsuccessconnections logmaxfilesize logfilepath "
        "disableunicastresponsestomulticastbroadcast globalportsallowuserprefmerge"
    ),
    "edge": (
        "smartscreenenabled smartscreenpuaenabled preventsmartscreenpromptoverride "
        "passwordmanagerenabled autofillcreditcardenabled syncdisabled browsersignin "
        "homepagelocation restoreonstartup trackingprevention extensioninstallblocklist "
        "extensioninstallallowlist sslversionmin siteisolationenabled hidefirstrunexperience "
        "defaultsearchproviderenabled favoritesbarenabled edgeshoppingassistantenabled "
        "personalizationreportingenabled sleepingtabsenabled startupboostenabled"
    ),
    "baseline": (
        "accounts_enableguestaccountstatus accounts_limitlocalaccountuseofblankpasswords "
        "accounts_renameadministratoraccount interactivelogon_machineinactivitylimit "
        "interactivelogon_messagetextforusers interactivelogon_smartcardremovalbehavior "
        "microsoftnetworkclient_digitallysigncommunicationsalways "
        "microsoftnetworkserver_digitallysigncommunicationsalways "
        "networkaccess_donotallowanonymousenumerationofsamaccounts "
        "networkaccess_restrictanonymousaccesstonamedpipesandshares "
        "networksecurity_lanmanagerauthenticationlevel "
        "networksecurity_donotstorelanmanagerhashvalue "
        "networksecurity_minimumsessionsecurityforntlmsspbasedclients "
        "useraccountcontrol_behavioroftheelevationprompt useraccountcontrol_runalladmins "
        "useraccountcontrol_virtualizefileandregistrywritefailures "
        "remotedesktopservices_requiresecurerpccommunication "
        "remotedesktopservices_clientconnectionencryptionlevel "
        "msslegacy_ipsourceroutingprotectionlevel mssecurityguide_enablestructuredexception "
        "lanmanworkstation_enableinsecureguestlogons autoplay_disallowautoplayfornonvolume"
    ),
    "onedrive": (
        "silentaccountconfig kfmoptinnowizard kfmblockoptout filesondemandenabled "
        "tenantallowlist disablepersonalsync blockexternalsync"
    ),
    "laps": (
        "backupdirectory passwordagedays passwordcomplexity passwordlength "
        "administratoraccountname postauthenticationactions postauthenticationresetdelay"
    ),
    "devicelock": (
        "devicepasswordenabled mindevicepasswordlength maxinactivitytimedevicelock "
        "alphanumericdevicepasswordrequired devicepasswordhistory maxdevicepasswordfailedattempts "
        "usehellocertificate requiresecuritydevice minimumpinlength pinexpiration"
    ),
    "deliveryoptimization": (
        "dodownloadmode domaxcachesize docachehost dogroupidsource dominbackgroundqos "
        "domonthlyuploaddatacap dopercentagemaxbackgroundbandwidth"
    ),
    "office": (
        "vbawarnings blockmacrosfrominternet updatebranch updatedeadline hideenabledisableupdates "
        "enableautomaticupdates disableallactivex protectedviewinternetfiles "
        "protectedviewattachments requireaddinsig dataconnectionwarnings linkautomaticupdate"
    ),
    "power": (
        "displayofftimeoutonbattery displayofftimeoutpluggedin hibernatetimeoutonbattery "
        "requirepasswordwhencomputerwakespluggedin sleeptimeoutpluggedin selectlidcloseaction"
    ),
    "start": (
        "hidefrequentlyusedapps hiderecentlyaddedapps configurestartpins "
        "disablecontextmenus hidepeoplebar showorhidemostusedapps"
    ),
    "audit": (
        "accountlogon_auditcredentialvalidation accountlogonlogoff_auditaccountlockout "
        "accountlogonlogoff_auditlogon accountmanagement_auditsecuritygroupmanagement "
        "accountmanagement_audituseraccountmanagement detailedtracking_auditprocesscreation "
        "objectaccess_auditfileshare objectaccess_auditremovablestorage "
        "policychange_auditpolicychange privilegeuse_auditsensitiveprivilegeuse "
        "system_auditsecuritystatechange system_auditsystemintegrity"
    ),
    "deviceguard": (
        "enablevirtualizationbasedsecurity requireplatformsecurityfeatures lsacfgflags "
        "configuresystemguardlaunch"
    ),
    "storage": "removablediskdenywriteaccess wpddevicesdenyreadaccess cddvddenywrite",
    "privacy": (
        "allowtelemetry allowinputpersonalization letappsaccesscamera letappsaccesslocation "
        "letappsaccessmicrophone disableadvertisingid limitdiagnosticlogcollection"
    ),
    "update": (
        "activehoursstart activehoursend autorestartnotificationschedule "
        "configuredeadlineforfeatureupdates configuredeadlineforqualityupdates "
        "configuredeadlinegraceperiod setdisablepauseuxaccess"
    ),
    "experience": "allowcortana allowwindowsspotlight donotshowfeedbacknotifications",
    "filevault": "enable defer recoverykeyrotationinmonths showrecoverykey forceenable",
    "macos": (
        "loginwindowtext showfullname disableguestaccount screensaveraskforpassword "
        "automaticcheckenabled automaticdownload criticalupdateinstall enforcementlevel"
    ),
    "ios": (
        "allowcamera allowscreenshot allowcloudbackup allowairdrop allowairprint allowsiri "
        "allowuntrustedtlsprompt forceencryptedbackup requirepasscode minlength"
    ),
    "android": (
        "cameradisabled factoryresetdisabled usbdatatransferblocked screencapturedisabled "
        "passwordminimumlength systemupdatetype locationmode"
    ),
}

AREAS = {area: tuple(names.split()) for area, names in _AREAS.items()}
#: Every setting with its area.
SETTINGS = [(area, name) for area, names in AREAS.items() for name in names]

DEVICE_CONFIGURATIONS = (
    ("Windows - Wi-Fi - Corporate", "windowsWifiEnterpriseEAPConfiguration"),
    ("Windows - VPN - Always on", "windows10VpnConfiguration"),
    ("Windows - Trusted root certificate", "windows81TrustedRootCertificate"),
    ("Windows - SCEP device certificate", "windows81SCEPCertificateProfile"),
    ("Windows - Update ring - Pilot", "windowsUpdateForBusinessConfiguration"),
    ("Windows - Update ring - Broad", "windowsUpdateForBusinessConfiguration"),
    ("Windows - Custom OMA-URI - Language packs", "windows10CustomConfiguration"),
    ("Windows - Health monitoring", "windowsHealthMonitoringConfiguration"),
    ("Windows - Shared PC - Meeting rooms", "sharedPCConfiguration"),
    ("Windows - Identity protection", "windowsIdentityProtectionConfiguration"),
    ("iOS - Device features", "iosDeviceFeaturesConfiguration"),
    ("iOS - Wi-Fi - Corporate", "iosWiFiConfiguration"),
    ("macOS - Extensions", "macOSExtensionsConfiguration"),
    ("macOS - Wi-Fi - Corporate", "macOSWiFiConfiguration"),
    ("Android - Wi-Fi - Corporate", "androidDeviceOwnerWiFiConfiguration"),
)

COMPLIANCE = (
    ("Windows - Compliance - Baseline", "windows10CompliancePolicy"),
    ("Windows - Compliance - Privileged workstations", "windows10CompliancePolicy"),
    ("iOS - Compliance - Corporate", "iosCompliancePolicy"),
    ("iOS - Compliance - Personal", "iosCompliancePolicy"),
    ("Android - Compliance - Fully managed", "androidDeviceOwnerCompliancePolicy"),
    ("Android - Compliance - Work profile", "androidWorkProfileCompliancePolicy"),
    ("macOS - Compliance - Baseline", "macOSCompliancePolicy"),
)

CONDITIONAL_ACCESS = (
    ("CA001 - All users - Require MFA", "mfa", "All"),
    ("CA002 - All users - Block legacy authentication", "block", "All"),
    ("CA003 - Admins - Phishing-resistant MFA", "strength", "All"),
    ("CA004 - All users - Block countries not allowed", "location", "All"),
    ("CA005 - All users - Require compliant device for Office 365", "device", "Office365"),
    ("CA006 - Guests - Require MFA", "mfa", "All"),
    ("CA007 - All users - Secure registration of security information", "register", "All"),
    ("CA008 - Admins - Sign-in frequency 4 hours", "session", "All"),
    ("CA009 - Unmanaged devices - App enforced restrictions", "session", "Office365"),
    ("CA010 - All users - Block device code flow", "block", "All"),
    ("CA011 - Service accounts - Trusted locations only", "location", "All"),
    ("CA012 - High risk sign-ins - Block", "block", "All"),
    ("CA013 - Azure management - Require MFA", "mfa", "797f4846-ba00-4fd7-ba43-dac1f8f63013"),
    ("CA014 - Mobile - Require app protection policy", "device", "Office365"),
)

LOCATIONS = (
    ("Head office", "203.0.113.0/27"),
    ("Data center", "198.51.100.64/28"),
    ("Countries allowed", ""),
    ("Branch offices", "192.0.2.0/25"),
    ("Countries for business trips", ""),
)
COUNTRIES = ("AT", "BE", "CH", "DE", "DK", "FR", "GB", "IE", "LU", "NL", "NO", "SE")

DEPARTMENTS = (
    "Finance", "Human resources", "Sales", "Marketing", "Legal", "Research", "Production",
    "Logistics", "Purchasing", "Customer service", "IT operations", "IT security", "Management",
    "Facilities", "Quality", "Controlling", "Communications", "Training",
)  # fmt: skip
PLACES = (
    "Berlin", "Hamburg", "Vienna", "Zurich", "Dublin", "Leeds", "Lyon", "Oslo", "Aarhus", "Ghent",
    "Utrecht", "Malmo", "Turin", "Porto", "Gdansk", "Brno",
)  # fmt: skip
PURPOSES = ("Staff", "Managers", "Project", "Printer access", "Shared mailbox", "License E3", "VPN")

APPS = {
    "ios": ("com.microsoft.office.outlook", "com.microsoft.skydrive", "com.microsoft.skype.teams"),
    "android": (
        "com.microsoft.office.outlook",
        "com.microsoft.skydrive",
        "com.microsoft.teams",
        "com.microsoft.emmx",
    ),
}

ROLES = (
    ("62e90394-69f5-4237-9190-012177145e10", "Global Administrator"),
    ("194ae4cb-b126-40b2-bd5b-6091b380977d", "Security Administrator"),
    ("29232cdf-9323-42fd-ade2-1d097af3e4de", "Exchange Administrator"),
    ("729827e3-9c14-49f7-bb1b-9608f156bbb8", "Helpdesk Administrator"),
    ("b0f54661-2d74-4c50-afa3-1ec803f12efe", "Billing Administrator"),
    ("fe930be7-5e62-47db-91af-98c3a49a38b1", "User Administrator"),
    ("9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", "Application Administrator"),
    ("158c047a-c907-4556-b7ef-446551a6b5f7", "Cloud Application Administrator"),
    ("b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", "Conditional Access Administrator"),
    ("e8611ab8-c189-46e8-94e1-60213ab1f814", "Privileged Role Administrator"),
    ("3a2c62db-5318-420d-8d74-23affee5d9d5", "Intune Administrator"),
    ("f28a1f50-f6e7-4571-818b-6a12f2af6b6c", "SharePoint Administrator"),
    ("69091246-20e8-4a56-aa4d-066075b2a7a8", "Teams Administrator"),
    ("f2ef992c-3afb-46b9-b7cf-a126ee74c451", "Global Reader"),
    ("5d6b6bb7-de71-4623-b4af-96380a352509", "Security Reader"),
    ("88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Directory Readers"),
    ("c4e39bd9-1100-46d3-8c65-fb160da0071f", "Authentication Administrator"),
    ("7be44c8a-adaf-4e2a-84d6-ab2649e08a13", "Privileged Authentication Administrator"),
    ("966707d0-3269-4727-9be2-8c3a10f19b9d", "Password Administrator"),
    ("fdd7a751-b60b-444a-984c-02652fe8fa1c", "Groups Administrator"),
)
FILTERS = (
    ("Windows - Corporate", "windows10AndLater", '(device.deviceOwnership -eq "Corporate")'),
    ("Windows - Virtual machines", "windows10AndLater", '(device.model -startsWith "Virtual")'),
    ("iOS - iPads", "iOS", '(device.model -startsWith "iPad")'),
    ("Android - Personal", "androidForWork", '(device.deviceOwnership -eq "Personal")'),
)
