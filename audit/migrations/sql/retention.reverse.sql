DROP FUNCTION audit_remove_old(integer, integer, jsonb);
