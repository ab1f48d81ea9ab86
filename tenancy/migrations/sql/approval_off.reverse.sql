DROP FUNCTION workspaces_approval_off CASCADE;
DROP FUNCTION approval_off_requests_keep CASCADE;
DROP FUNCTION approval_off_requests_guard CASCADE;
DROP FUNCTION approval_off_requests_begin CASCADE;
DROP FUNCTION workspaces_owner_count;
DROP FUNCTION workspaces_is_owner;
