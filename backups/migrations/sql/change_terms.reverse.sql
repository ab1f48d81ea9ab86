DROP FUNCTION policy_change_terms(bigint, text, text, text);
DROP FUNCTION search_trigrams(text);
