"""Reasons why a backup did not start or is incomplete."""

from operations.reasons import Reason, register_reasons

register_reasons(
    Reason(
        "previous_run_active",
        "Previous backup still active",
        "Run {run} of the same schedule was still active at the time of the slot.",
        "No action needed if this is rare. Otherwise run the schedule less often, or find out why "
        "run {run} takes so long.",
    ),
    Reason(
        "missed",
        "Missed",
        "{slots} missed: the scheduler was not running until {now}.",
        "Check that beat and a worker are running. Back up now if the next run is far away.",
    ),
    Reason(
        "slot_failed",
        "Run not created",
        "The run of this slot could not be created because of an error (reference {reference}).",
        "Check the schedule and save it again. If it happens again, contact your Runledger "
        "administrator and quote the reference.",
    ),
    Reason(
        "schedule_unreadable",
        "Schedule times not readable",
        "The times of the schedule could not be computed from “{cron}” in the time zone "
        "{timezone}. The schedule is paused.",
        "Enter a valid cron expression and time zone, save the schedule, then resume it.",
    ),
    Reason(
        "schedule_gone",
        "Schedule deleted",
        "The schedule was deleted before its backup started.",
        "No action needed. Add a schedule if the tenant needs backups.",
    ),
    Reason(
        "kind_unknown",
        "Kind no longer known",
        "Runledger cannot read objects of the kind {kind}.",
        "Remove the kind from the schedule.",
        cause="{kind}",
    ),
    Reason(
        "removed_while_running",
        "Removed while running",
        "The object was deleted in the tenant after it was listed.",
        "No action needed.",
    ),
    Reason(
        "not_attempted_in_set",
        "Not read",
        "The backup ended before it read this object.",
        "Retry the run to read the rest.",
    ),
    Reason(
        "already_in_set",
        "Already in the set",
        "The set “{name}” already contains this policy.",
        "No action needed. To back up its current state, choose a set with another name.",
    ),
    Reason(
        "kind_not_backed_up",
        "Kind not backed up",
        "Objects of the kind {kind} only provide names for ids and are not backed up.",
        "No action needed.",
    ),
    Reason(
        "export_too_large",
        "Export too large",
        "The archive would be larger than {megabytes} MB.",
        "Select fewer policies and export them in parts.",
    ),
)
