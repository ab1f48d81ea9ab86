-- The terms by which the search for backup items finds one in an index: each three adjacent characters
-- of the name, and the whole id of the object.

CREATE FUNCTION backup_item_terms(name text, graph_id text) RETURNS text[] LANGUAGE plpgsql
IMMUTABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN public.search_trigrams(name) || graph_id;
END $$;
