-- Names have no invisible characters; see the guard of the same name of tenants.

UPDATE backup_schedules SET name = visible_name(name) WHERE NOT is_visible_name(name);
ALTER TABLE backup_schedules ADD CONSTRAINT schedules_name_is_visible CHECK (is_visible_name(name));
