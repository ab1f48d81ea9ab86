-- The counts of a day are numbers of runs by outcome.

ALTER TABLE backup_days ADD CONSTRAINT backup_days_counts_valid CHECK (
    jsonb_typeof(counts) = 'object'
    AND NOT jsonb_path_exists(counts, '$.keyvalue() ? (@.value.type() != "number" || @.value < 0)'));
