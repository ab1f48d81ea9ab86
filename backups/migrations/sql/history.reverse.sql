DROP FUNCTION backups_refuse CASCADE;
