DROP TRIGGER run_items_identity_is_fixed ON operation_run_items;
DROP FUNCTION operation_items_reject();
DROP TRIGGER run_items_changed_while_active ON operation_run_items;
DROP TRIGGER run_items_written_while_active ON operation_run_items;
DROP FUNCTION operation_items_require_active_run();
