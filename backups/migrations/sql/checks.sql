-- The values of versions, items and sets are well formed.

ALTER TABLE policy_versions
    ADD CONSTRAINT versions_content_is_sha256 CHECK (content_hash ~ '^[0-9a-f]{64}$'),
    ADD CONSTRAINT versions_normalized_is_sha256 CHECK (normalized_hash ~ '^[0-9a-f]{64}$'),
    ADD CONSTRAINT versions_payload_is_object CHECK (jsonb_typeof(payload) = 'object');

ALTER TABLE backup_items
    ADD CONSTRAINT items_missing_is_list CHECK (jsonb_typeof(missing) = 'array'),
    ADD CONSTRAINT items_have_an_id CHECK (graph_id <> '');

ALTER TABLE backup_sets
    ADD CONSTRAINT sets_unlisted_is_object CHECK (jsonb_typeof(unlisted) = 'object'),
    ADD CONSTRAINT sets_parent_not_self CHECK (parent_id <> id);
