DROP TRIGGER sessions_keep_end ON sessions;
DROP FUNCTION sessions_keep_end();
