-- Each page keeps room for new row versions, so that heartbeats and counts stay HOT updates.

ALTER TABLE operation_runs SET (fillfactor = 80);
