DROP INDEX runs_slot_once;
