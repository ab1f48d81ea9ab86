DROP FUNCTION audit_seal(integer, bigint);
DROP FUNCTION audit_hash(bytea, audit_entries);
