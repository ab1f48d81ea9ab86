-- Versions, complete items and finished scheduled sets never change.
-- A set of selected policies can be extended, so only its identity is fixed.

CREATE FUNCTION backups_reject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% %: %', TG_TABLE_NAME, OLD.id, TG_ARGV[0]
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER versions_never_change BEFORE UPDATE ON policy_versions FOR EACH ROW
    EXECUTE FUNCTION backups_reject('a version cannot be changed');

CREATE TRIGGER sets_finished_is_final BEFORE UPDATE ON backup_sets FOR EACH ROW
    WHEN (OLD.status <> 'building' AND
          (OLD.id, OLD.workspace_id, OLD.tenant_id, OLD.purpose, OLD.name, OLD.started_at)
          IS DISTINCT FROM
          (NEW.id, NEW.workspace_id, NEW.tenant_id, NEW.purpose, NEW.name, NEW.started_at)
          OR OLD.status <> 'building' AND OLD.purpose = 'schedule' AND
          (OLD.status, OLD.kinds, OLD.listed_kinds, OLD.unlisted, OLD.item_count,
           OLD.incomplete_count, OLD.ended_at)
          IS DISTINCT FROM
          (NEW.status, NEW.kinds, NEW.listed_kinds, NEW.unlisted, NEW.item_count,
           NEW.incomplete_count, NEW.ended_at))
    EXECUTE FUNCTION backups_reject('a finished set cannot be changed');

CREATE TRIGGER items_complete_is_final BEFORE UPDATE ON backup_items FOR EACH ROW
    WHEN (OLD.complete) EXECUTE FUNCTION backups_reject('a complete item cannot be changed');
