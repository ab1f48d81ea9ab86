DROP TRIGGER memberships_of_service_accounts ON memberships;
DROP FUNCTION memberships_of_service_accounts();
DROP TRIGGER users_keep_kind ON users;
DROP FUNCTION users_keep_kind();
ALTER TABLE users DROP CONSTRAINT users_service_accounts_cannot_sign_in;
