"""Why an object cannot be restored, was not restored, or has an unknown outcome."""

from operations.reasons import Reason, register_reasons

register_reasons(
    Reason(
        "restore_kind_refused",
        "Kind can't be restored",
        "Runledger does not restore {kind}.",
        "Change the object manually, using the backup as a reference.",
    ),
    Reason(
        "restore_kind_unknown",
        "Kind not known",
        "This version of Runledger does not know the kind {kind}.",
        "Restore the object with the version that backed it up, or manually.",
    ),
    Reason(
        "restore_incomplete_backup",
        "Backup incomplete",
        "The backup of this object is incomplete, so its configuration can't be restored.",
        "Choose a backup set in which the object is complete.",
    ),
    Reason(
        "restore_backup_gone",
        "Backup deleted",
        "The backed-up content of this object has been deleted.",
        "Choose a newer backup set.",
    ),
    Reason(
        "restore_encrypted",
        "Encrypted values",
        "Microsoft returned values of the object only in encrypted form ({count} found), so the backup "
        "does not have them.",
        "Let the connection read encrypted OMA-URI values before the next backup. Restore this object "
        "manually and enter these values again.",
    ),
    Reason(
        "restore_values_not_read",
        "Encrypted values not read",
        "The backup has encrypted values of the object ({count} found), and the connection cannot read "
        "the current ones, so they can't be compared.",
        "Let the connection read encrypted OMA-URI values, and grant "
        "DeviceManagementConfiguration.ReadWrite.All.",
    ),
    Reason(
        "restore_lacking",
        "Not in the backup",
        "The backup does not contain {parts}, so the object can't be restored from it.",
        "Choose a newer backup set if it contains that. Otherwise restore the object manually and enter "
        "it again.",
    ),
    Reason(
        "restore_matches_without",
        "Matches in part",
        "The object matches the backup, which does not contain {parts}: that was not compared.",
        "Check it in the admin center.",
    ),
    Reason(
        "restore_managed",
        "Managed by Microsoft",
        "Microsoft created and manages this object, so it can't be changed.",
        "No action needed.",
    ),
    Reason(
        "restore_reference_missing",
        "Referenced object missing",
        "The tenant lacks what the object refers to: {objects}.",
        "Restore the missing object as well if this backup set contains it, or choose another one "
        "that takes its place, such as one that was created again and has a new id. Runledger never "
        "removes a reference, such as an exclusion, by itself.",
    ),
    Reason(
        "restore_name_taken",
        "Name not unique",
        "The backed-up object was deleted in the tenant. Other objects have the same name and may "
        "have replaced it ({count} found).",
        "Decide whether to create the object from the backup as well.",
    ),
    Reason(
        "restore_changed_since",
        "Changed since the backup",
        "The current configuration was never backed up: the object was changed after the latest "
        "backup.",
        "Decide whether to keep the current configuration, use the backup, or create a new object "
        "from the backup.",
    ),
    Reason(
        "restore_other_object",
        "Another object with this name",
        "The backed-up object was deleted in the tenant, and another object has the same name.",
        "Decide whether to keep that object, overwrite it with the backup, or create a new one.",
    ),
    Reason(
        "restore_beside_others",
        "Other objects with this name",
        "Other objects have the same name ({count} found). They stay unchanged.",
        "No action needed.",
    ),
    Reason(
        "restore_may_be_made",
        "May already exist",
        "A recent restore tried to create this object, and its outcome is unknown. The object is not "
        "visible yet. Creating it now may result in a duplicate.",
        "Wait a few minutes and preview again, or decide to create it if you know that it does not "
        "exist.",
    ),
    Reason(
        "restore_stops_enforcing",
        "Stops enforcing",
        "The policy is enforced now and would only report after the restore.",
        "Choose “As in the backup” to keep it enforced.",
    ),
    Reason(
        "restore_was_not_enforced",
        "Not enforced in the backup",
        "The policy is enforced now and was not enforced in the backup. It would not be enforced "
        "after the restore.",
        "Leave this policy out of the restore to keep it enforced.",
    ),
    Reason(
        "restore_no_way_back_in",
        "No exclusions",
        "The policy would be enforced without any exclusion: it can lock out every administrator.",
        "Exclude an emergency access account in the admin center, or restore the policy report-only.",
    ),
    Reason(
        "restore_comes_unassigned",
        "Restored unassigned",
        "The object would be created without its assignments.",
        "Choose “From backup” to restore the assignments as well.",
    ),
    Reason(
        "restore_comes_without",
        "Restored in part",
        "The object would be created without what backups do not contain: {parts}.",
        "Add what it needs of that in the admin center.",
    ),
    Reason(
        "restore_leaves_unread",
        "Compared in part",
        "Backups do not contain {parts}: that is not compared and stays as it is. A new object would be "
        "created without it.",
        "Check it in the admin center.",
    ),
    Reason(
        "restore_verified_without",
        "Verified in part",
        "Verified without {parts}: backups do not contain that, so it was not compared.",
        "Check it in the admin center.",
    ),
    Reason(
        "restore_live_unreadable",
        "Current configuration not readable",
        "The current configuration of the object could not be read completely.",
        "Preview again when Microsoft Graph is available.",
    ),
    Reason(
        "restore_moved_since_preview",
        "Changed since the preview",
        "The object was changed after the preview.",
        "Preview again to see what a restore would change now.",
    ),
    Reason(
        "restore_not_as_previewed",
        "Differs from the preview",
        "What would be written differs from the preview.",
        "Preview again.",
    ),
    Reason(
        "restore_kept",
        "Not changed",
        "The object was not written: {why}.",
        "No action needed.",
    ),
    Reason(
        "restore_differs",
        "Written, but different",
        "Microsoft Graph accepted the object, but returns different values than were written.",
        "Compare the object with the backup. Microsoft may have changed which values are allowed.",
    ),
    Reason(
        "restore_unknown",
        "Outcome unknown",
        "The response was lost, and reading the object back did not show whether it was written.",
        "Check the object in the admin center, then preview again to see its current configuration.",
    ),
    Reason(
        "restore_not_seen",
        "Probably not written",
        "The response was lost, and the object still had its previous configuration when it was read "
        "back. The change may still arrive late.",
        "Preview again in a few minutes to see the current configuration.",
    ),
    Reason(
        "restore_not_read_back",
        "Written, not verified",
        "Microsoft Graph accepted the object, but it could not be read back.",
        "Preview again to see whether the object matches the backup.",
    ),
    Reason(
        "restore_cut_off",
        "Interrupted",
        "The worker stopped while the object was being written. It may be written completely, partly "
        "or not at all.",
        "Preview again to see the current configuration.",
    ),
    Reason(
        "restore_stopped_before",
        "Canceled before the write",
        "The run was canceled while Microsoft Graph was throttling requests. Nothing of this object "
        "was written.",
        "Retry to restore the remaining objects.",
    ),
    Reason(
        "restore_stopped_within",
        "Canceled during the write",
        "The run was canceled after the object was written and before related settings, such as its "
        "assignments, were.",
        "Preview again to see what is missing.",
    ),
    Reason(
        "restore_not_reached",
        "Object not attempted",
        "The restore ended before this object was attempted.",
        "Retry to restore the remaining objects.",
    ),
    Reason(
        "restore_gone",
        "Restore not available",
        "The restore of this run was deleted or is no longer in the expected status.",
        "Start a new restore from the backup set.",
    ),
)
