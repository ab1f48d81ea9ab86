"""What must never happen to a backup, refused by the database whoever asks."""

from django.db import migrations

from tenancy.db import composite_tenant_fk

SCOPES = """
ALTER TABLE backup_sets ADD CONSTRAINT sets_schedule_of_tenant
    FOREIGN KEY (schedule_id, tenant_id) REFERENCES backup_schedules (id, tenant_id)
    DEFERRABLE INITIALLY IMMEDIATE;
ALTER TABLE backup_items ADD CONSTRAINT items_scope_of_set
    FOREIGN KEY (set_id, tenant_id, workspace_id)
    REFERENCES backup_sets (id, tenant_id, workspace_id) DEFERRABLE INITIALLY IMMEDIATE;
ALTER TABLE backup_items ADD CONSTRAINT items_version_of_workspace
    FOREIGN KEY (version_id, workspace_id) REFERENCES policy_versions (id, workspace_id)
    DEFERRABLE INITIALLY IMMEDIATE;
"""

DROP_SCOPES = """
ALTER TABLE backup_items DROP CONSTRAINT items_version_of_workspace;
ALTER TABLE backup_items DROP CONSTRAINT items_scope_of_set;
ALTER TABLE backup_sets DROP CONSTRAINT sets_schedule_of_tenant;
"""

CHECKS = """
ALTER TABLE policy_versions
    ADD CONSTRAINT versions_content_is_sha256 CHECK (content_hash ~ '^[0-9a-f]{64}$'),
    ADD CONSTRAINT versions_normalized_is_sha256 CHECK (normalized_hash ~ '^[0-9a-f]{64}$'),
    ADD CONSTRAINT versions_payload_is_object CHECK (jsonb_typeof(payload) = 'object');
ALTER TABLE backup_items
    ADD CONSTRAINT items_missing_is_list CHECK (jsonb_typeof(missing) = 'array'),
    ADD CONSTRAINT items_have_an_id CHECK (graph_id <> '');
ALTER TABLE backup_sets
    ADD CONSTRAINT sets_unlisted_is_object CHECK (jsonb_typeof(unlisted) = 'object'),
    ADD CONSTRAINT sets_parent_is_another CHECK (parent_id <> id);
"""

DROP_CHECKS = """
ALTER TABLE policy_versions
    DROP CONSTRAINT versions_content_is_sha256,
    DROP CONSTRAINT versions_normalized_is_sha256,
    DROP CONSTRAINT versions_payload_is_object;
ALTER TABLE backup_items
    DROP CONSTRAINT items_missing_is_list,
    DROP CONSTRAINT items_have_an_id;
ALTER TABLE backup_sets
    DROP CONSTRAINT sets_unlisted_is_object,
    DROP CONSTRAINT sets_parent_is_another;
"""

# A set that is finished is history: a worker that comes back late can add nothing to it.
TRIGGERS = """
CREATE FUNCTION backups_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% %: %', TG_TABLE_NAME, OLD.id, TG_ARGV[0]
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER versions_never_change BEFORE UPDATE ON policy_versions FOR EACH ROW
    EXECUTE FUNCTION backups_refuse('a version is never changed');

CREATE TRIGGER sets_finished_is_history BEFORE UPDATE ON backup_sets FOR EACH ROW
    WHEN (OLD.status <> 'building' AND
          (OLD.id, OLD.workspace_id, OLD.tenant_id, OLD.status, OLD.kinds, OLD.listed_kinds,
           OLD.unlisted, OLD.item_count, OLD.incomplete_count, OLD.started_at, OLD.finished_at)
          IS DISTINCT FROM
          (NEW.id, NEW.workspace_id, NEW.tenant_id, NEW.status, NEW.kinds, NEW.listed_kinds,
           NEW.unlisted, NEW.item_count, NEW.incomplete_count, NEW.started_at, NEW.finished_at))
    EXECUTE FUNCTION backups_refuse('a finished set is never changed');

CREATE FUNCTION backup_sets_are_true() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM backup_items WHERE set_id = NEW.id AND NOT complete) THEN
        RAISE EXCEPTION 'backup set %: an item of it is not complete', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER sets_complete_is_true BEFORE INSERT OR UPDATE OF status ON backup_sets FOR EACH ROW
    WHEN (NEW.status = 'complete') EXECUTE FUNCTION backup_sets_are_true();

CREATE FUNCTION backup_items_into_building() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM backup_sets WHERE id = NEW.set_id AND status = 'building' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'backup set %: it is finished', NEW.set_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER items_into_building BEFORE INSERT OR UPDATE ON backup_items FOR EACH ROW
    EXECUTE FUNCTION backup_items_into_building();
"""

DROP_TRIGGERS = """
DROP FUNCTION backups_refuse CASCADE;
DROP FUNCTION backup_sets_are_true CASCADE;
DROP FUNCTION backup_items_into_building CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("backups", "0001_initial")]

    operations = [
        composite_tenant_fk("backup_schedules"),
        composite_tenant_fk("backup_sets"),
        composite_tenant_fk("backup_items"),
        migrations.RunSQL(SCOPES, DROP_SCOPES),
        migrations.RunSQL(CHECKS, DROP_CHECKS),
        migrations.RunSQL(TRIGGERS, DROP_TRIGGERS),
    ]
