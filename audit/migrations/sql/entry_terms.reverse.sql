DROP FUNCTION audit_entry_terms(bigint, bigint, text, text, text, text, text, inet, text);
