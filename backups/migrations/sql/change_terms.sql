-- The terms by which the search for changes finds one in an index: each three adjacent characters of
-- the name and the author, and the whole ids of the object and of the workspace.

-- In upper case, because that is how the search compares texts.
CREATE FUNCTION search_trigrams(content text) RETURNS text[] LANGUAGE plpgsql
IMMUTABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    compared text := upper(content);
    terms text[] := '{}';
BEGIN
    FOR place IN 1 .. length(compared) - 2 LOOP
        terms := terms || substr(compared, place, 3);
    END LOOP;
    RETURN terms;
END $$;

CREATE FUNCTION policy_change_terms(workspace_id bigint, name text, author text, graph_id text)
RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN search_trigrams(name || chr(10) || author) || ARRAY['#' || workspace_id, graph_id];
END $$;
