DROP FUNCTION operation_history_reject CASCADE;
