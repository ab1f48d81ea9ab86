DROP TRIGGER redactions_keep_version ON policy_version_redactions;
DROP FUNCTION policy_version_redactions_keep_version();
ALTER TABLE policy_version_redactions
    DROP CONSTRAINT redactions_patch_is_list,
    DROP CONSTRAINT redactions_version;
