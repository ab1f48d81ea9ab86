DROP FUNCTION policy_changes_remove(bigint, timestamptz, integer);
DROP FUNCTION backup_sets_compare(bigint, bigint);
DROP FUNCTION backup_sets_earlier(bigint);
DROP FUNCTION policy_changes_check_items CASCADE;
DROP TRIGGER changes_never_change ON policy_changes;
DROP TRIGGER changes_deleted_by_functions ON policy_changes;
DROP TRIGGER changes_no_truncate ON policy_changes;
ALTER TABLE policy_changes
    DROP CONSTRAINT changes_set_of_tenant,
    DROP CONSTRAINT changes_previous_of_tenant,
    DROP CONSTRAINT changes_change_known,
    DROP CONSTRAINT changes_fields_valid;
DROP TRIGGER sets_compared_once ON backup_sets;
ALTER TABLE backup_sets
    DROP CONSTRAINT sets_compared_with_own_tenant,
    DROP CONSTRAINT sets_compared_with_another;
