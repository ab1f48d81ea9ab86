ALTER TABLE users DROP CONSTRAINT users_name_is_visible;
ALTER TABLE tenants DROP CONSTRAINT tenants_name_is_visible;
ALTER TABLE workspaces DROP CONSTRAINT workspaces_name_is_visible;
DROP FUNCTION visible_name;
DROP FUNCTION is_visible_name;
