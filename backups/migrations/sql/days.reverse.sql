ALTER TABLE backup_days DROP CONSTRAINT backup_days_counts_valid;
