DROP FUNCTION search_rare_terms(text, text[]);
