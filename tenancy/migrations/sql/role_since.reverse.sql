DROP TRIGGER approval_off_requests_confirmer ON approval_off_requests;
DROP FUNCTION approval_off_requests_confirmer();
DROP TRIGGER memberships_role_since ON memberships;
DROP FUNCTION memberships_role_since();
