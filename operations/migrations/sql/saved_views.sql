-- A saved view is shared with its workspace, or belongs to a member of it, with whom it leaves.
-- Its parameters are texts by name, as an address has them.

ALTER TABLE saved_views ADD CONSTRAINT saved_views_owner_is_a_member
    FOREIGN KEY (owner_id, workspace_id) REFERENCES memberships (user_id, workspace_id)
    ON DELETE CASCADE;

ALTER TABLE saved_views ADD CONSTRAINT saved_views_name_is_visible CHECK (is_visible_name(name));

ALTER TABLE saved_views ADD CONSTRAINT saved_views_parameters_are_texts CHECK (
    jsonb_typeof(parameters) = 'object' AND NOT parameters @? '$.* ? (@.type() != "string")');

ALTER TABLE saved_views ADD CONSTRAINT saved_views_parameters_are_short CHECK (
    octet_length(parameters::text) <= 4000);
