-- Names have no invisible characters and none that change the direction of text: such a name looks
-- like another one. `web/names.py` has the same list.

CREATE FUNCTION is_visible_name(name text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT name !~ '[\u0001-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]'
$$;

CREATE FUNCTION visible_name(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT COALESCE(NULLIF(btrim(regexp_replace(name, '[\u0001-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]', '', 'g')), ''), 'Unnamed')
$$;

UPDATE workspaces SET name = visible_name(name) WHERE NOT is_visible_name(name);
UPDATE tenants SET name = visible_name(name) WHERE NOT is_visible_name(name);
-- The id keeps the user name unique.
UPDATE users SET username = left(visible_name(username), 130) || '-' || id
WHERE NOT is_visible_name(username);
UPDATE users SET first_name = visible_name(first_name) WHERE NOT is_visible_name(first_name);
UPDATE users SET last_name = visible_name(last_name) WHERE NOT is_visible_name(last_name);

ALTER TABLE workspaces ADD CONSTRAINT workspaces_name_is_visible CHECK (is_visible_name(name));
ALTER TABLE tenants ADD CONSTRAINT tenants_name_is_visible CHECK (is_visible_name(name));
ALTER TABLE users ADD CONSTRAINT users_name_is_visible CHECK (
    is_visible_name(username) AND is_visible_name(first_name) AND is_visible_name(last_name));
