DROP FUNCTION operation_history_refuse CASCADE;
