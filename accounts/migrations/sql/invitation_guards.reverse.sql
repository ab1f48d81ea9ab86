DROP FUNCTION invitations_check_insert CASCADE;
DROP FUNCTION invitations_check_update CASCADE;
