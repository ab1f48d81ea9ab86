DROP TRIGGER audited_changes ON mfa_authenticator;
