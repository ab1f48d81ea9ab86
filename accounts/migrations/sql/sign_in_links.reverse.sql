DROP TRIGGER sign_in_links_keep_use ON sign_in_links;
DROP FUNCTION sign_in_links_keep_use();
ALTER TABLE sign_in_links DROP CONSTRAINT sign_in_links_short;
