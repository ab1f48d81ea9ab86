-- Names have no invisible characters; see the guard of the same name of tenants.

UPDATE provider_connections SET name = visible_name(name) WHERE NOT is_visible_name(name);
ALTER TABLE provider_connections ADD CONSTRAINT connections_name_is_visible CHECK (is_visible_name(name));
