DROP INDEX runs_slot_fires_once;
