DROP FUNCTION backups_reject CASCADE;
