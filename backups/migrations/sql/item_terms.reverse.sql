DROP FUNCTION backup_item_terms(text, text);
