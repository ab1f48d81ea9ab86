DROP TRIGGER audit_links_append_only ON audit_links;
DROP TRIGGER audit_entries_append_only ON audit_entries;
DROP FUNCTION audit_reject();
DROP FUNCTION audit_is_writer();
