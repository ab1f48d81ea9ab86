"""Why an object cannot be restored, or was not."""

from operations.reasons import Reason, register_reasons

register_reasons(
    Reason(
        "restore_kind_refused",
        "Kind not restored",
        "{kind} are not restored by Runledger.",
        "Change the object by hand, with the backup beside it.",
    ),
    Reason(
        "restore_incomplete_backup",
        "Backup incomplete",
        "The backup did not read this object completely, so it cannot be put back as it was.",
        "Choose a set in which it is complete.",
    ),
    Reason(
        "restore_backup_gone",
        "Backup gone",
        "The content of the backup is not kept any more.",
        "Choose a newer backup set.",
    ),
    Reason(
        "restore_encrypted",
        "Encrypted values",
        "It holds {count} values that Microsoft gives out only encrypted, so they are not in the "
        "backup.",
        "Restore it by hand and enter these values again.",
    ),
    Reason(
        "restore_managed",
        "Managed by Microsoft",
        "Microsoft made this object and does not let it be written.",
        "Nothing to do.",
    ),
    Reason(
        "restore_reference_missing",
        "Something it refers to is missing",
        "The tenant does not have the {what} {ids}.",
        "Make it again, or change the policy by hand. An exclusion is never left out silently.",
    ),
    Reason(
        "restore_name_taken",
        "Name taken",
        "{count} other objects of this name are there, so it cannot be told which one is meant.",
        "Rename or remove the others, then preview again.",
    ),
    Reason(
        "restore_changed_since",
        "Changed since the backup",
        "What is there now was never backed up: somebody changed it after the last backup.",
        "Say who wins: what is there, or the backup.",
    ),
    Reason(
        "restore_other_object",
        "Another object of this name",
        "The backed-up object is gone, and another one of the same name is there.",
        "Say who wins: what is there, or the backup, which would then be written to it.",
    ),
    Reason(
        "restore_may_be_made",
        "May be there already",
        "An earlier restore tried to create it a moment ago, and nobody knows whether it did. It is "
        "not seen yet; to create it now may make a second one.",
        "Wait some minutes and preview again, or say that the backup wins if you know that it is not "
        "there.",
    ),
    Reason(
        "restore_stops_enforcing",
        "Stops enforcing",
        "The policy is enforced now and would only report afterward.",
        "Choose “As it was backed up” to keep it enforced.",
    ),
    Reason(
        "restore_was_not_enforced",
        "Stops enforcing",
        "The policy is enforced now; in the backup it is not, and would not be afterward.",
        "Leave it out if it is to stay enforced.",
    ),
    Reason(
        "restore_no_way_back_in",
        "Excludes nobody",
        "The policy would be enforced and excludes nobody: it can lock out every administrator.",
        "Exclude an emergency access account in the admin center, or restore it report-only.",
    ),
    Reason(
        "restore_comes_unassigned",
        "Comes back unassigned",
        "The object comes back without its assignments.",
        "Choose “Those of the backup” to bring them back too.",
    ),
    Reason(
        "restore_live_unreadable",
        "Present state not readable",
        "The present state of the object could not be read completely.",
        "Preview again when Microsoft Graph answers.",
    ),
    Reason(
        "restore_moved_since_preview",
        "Changed since the preview",
        "The object is not what it was when the preview looked.",
        "Preview again: what would change now may be something else.",
    ),
    Reason(
        "restore_not_as_previewed",
        "Not as previewed",
        "What is to be executed is not what was previewed.",
        "Preview again.",
    ),
    Reason(
        "restore_kept",
        "Left as it is",
        "Nothing was to be written: {why}.",
        "Nothing to do.",
    ),
    Reason(
        "restore_differs",
        "Written, but differs",
        "Microsoft accepted the object, and gives back something else than was written.",
        "Compare the object with the backup; Microsoft may have changed what it allows.",
    ),
    Reason(
        "restore_unknown",
        "Outcome unknown",
        "The answer was lost, and reading back did not show what became of it.",
        "Look at the object in the admin center, then preview again: the preview says what is there.",
    ),
    Reason(
        "restore_not_seen",
        "Probably not written",
        "The answer was lost, and reading back for a while showed the object as it was before. A "
        "write may still arrive late.",
        "Preview again in some minutes: the preview says what is there then.",
    ),
    Reason(
        "restore_not_read_back",
        "Written, not read back",
        "Microsoft accepted the object, but it could not be read again afterward.",
        "Preview again: the preview says whether it is as the backup has it.",
    ),
    Reason(
        "restore_cut_off",
        "Cut off",
        "The worker ended while the object was being written: it may be written, in part or not at "
        "all.",
        "Preview again: the preview says what is there.",
    ),
    Reason(
        "restore_stopped_before",
        "Stopped before it was written",
        "The run was cancelled while Microsoft asked to wait: nothing of this object was written.",
        "Retry to do the rest.",
    ),
    Reason(
        "restore_stopped_within",
        "Stopped within the object",
        "The run was cancelled when the object was written and what belongs to it, such as its "
        "assignments, was not.",
        "Preview again: the preview says what is missing.",
    ),
    Reason(
        "restore_not_reached",
        "Not reached",
        "The restore ended before it came to this object.",
        "Retry to do the rest.",
    ),
    Reason(
        "restore_gone",
        "Restore gone",
        "The restore of this run is not there any more, or is at another step.",
        "Start a new one from the backup set.",
    ),
)
