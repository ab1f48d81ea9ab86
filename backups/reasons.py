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
)
