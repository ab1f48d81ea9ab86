DROP FUNCTION configuration_secrets_delete_unneeded();
