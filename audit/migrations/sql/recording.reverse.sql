DROP FUNCTION audit_record_event(text, bigint, text, bigint, jsonb, jsonb);
DROP FUNCTION audit_record_change();
DROP FUNCTION audit_differences(jsonb, jsonb, jsonb);
DROP FUNCTION audit_values(jsonb, text);
DROP FUNCTION audit_add(text, text, text, text, text, bigint[], bigint, jsonb, jsonb, jsonb);
