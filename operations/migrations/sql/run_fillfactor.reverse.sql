ALTER TABLE operation_runs RESET (fillfactor);
