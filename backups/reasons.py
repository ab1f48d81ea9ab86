"""Why a backup did not start, or is not whole."""

from operations.reasons import Reason, register_reasons

register_reasons(
    Reason(
        "previous_run_active",
        "Previous backup still active",
        "The slot came while run {run} of the same schedule was still active.",
        "Nothing to do if this is rare; otherwise let the schedule fire less often, or find out "
        "why run {run} takes so long.",
    ),
    Reason(
        "missed",
        "Missed",
        "{slots} could not be fired on time: nothing ticked until {now}.",
        "Check that beat and a worker are running; back up now if the next slot is far away.",
    ),
    Reason(
        "schedule_gone",
        "Schedule deleted",
        "The schedule was deleted before its backup started.",
        "Nothing to do; create a schedule if the tenant is to be backed up.",
    ),
    Reason(
        "kind_unknown",
        "Kind no longer known",
        "Runledger does not know how to read objects of the kind {kind}.",
        "Take the kind out of the schedule.",
    ),
    Reason(
        "removed_while_running",
        "Removed while running",
        "The object was deleted in the tenant after it had been listed.",
        "Nothing to do: it is no longer there.",
    ),
    Reason(
        "not_attempted_in_set",
        "Not read",
        "The backup ended before it read this object.",
        "Retry to read what is left.",
    ),
    Reason(
        "already_in_set",
        "Already in the set",
        "The set “{name}” holds this policy already.",
        "Nothing to do. To keep its present state, choose a set with another name.",
    ),
    Reason(
        "kind_not_backed_up",
        "Kind not backed up",
        "Objects of the kind {kind} only give names to ids and are not backed up.",
        "Nothing to do.",
    ),
    Reason(
        "export_too_large",
        "Export too large",
        "The archive would be larger than {megabytes} MB.",
        "Select fewer policies and export them in parts.",
    ),
)
