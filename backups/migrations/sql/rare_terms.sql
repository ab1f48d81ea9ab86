-- Of some terms, those with which an index of terms finds rows fast: the rarest one, and those that
-- are not much more frequent. Reading the rows of a term takes as long as there are rows with it,
-- while few rows have a rare one. Which terms are frequent is what ANALYZE has found; without that,
-- all are returned.

-- The application does not own the index, so that it cannot read the statistics.
CREATE FUNCTION search_rare_terms(terms_index text, terms text[]) RETURNS text[]
LANGUAGE sql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
    WITH frequent AS (
        SELECT listed.term, listed.share
        FROM pg_stats, unnest(most_common_elems::text::text[], most_common_elem_freqs)
            AS listed(term, share)
        WHERE schemaname = 'public' AND tablename = terms_index
    ), shares AS (
        SELECT DISTINCT asked.term,
               -- What is not listed is as rare as the rarest that is.
               COALESCE(frequent.share, (SELECT min(share) FROM frequent WHERE term IS NOT NULL)) AS share
        FROM unnest(terms) AS asked(term) LEFT JOIN frequent USING (term)
    )
    SELECT COALESCE(array_agg(term ORDER BY term), '{}') FROM shares
    WHERE share IS NULL OR share <= 10 * (SELECT min(share) FROM shares)
$$;

REVOKE ALL ON FUNCTION search_rare_terms(text, text[]) FROM PUBLIC;
