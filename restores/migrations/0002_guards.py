"""What must never happen to a restore, refused by the database whoever asks."""

from django.db import migrations

from tenancy.db import composite_tenant_fk

# A version that retention lets go of leaves the item without its content, which blocks it.
KEYS = """
ALTER TABLE restore_items
    ADD CONSTRAINT restore_items_version FOREIGN KEY (version_id)
        REFERENCES policy_versions (id) ON DELETE SET NULL,
    ADD CONSTRAINT restore_items_backup_item FOREIGN KEY (backup_item_id)
        REFERENCES backup_items (id) ON DELETE SET NULL;
"""
DROP_KEYS = """
ALTER TABLE restore_items DROP CONSTRAINT restore_items_version,
    DROP CONSTRAINT restore_items_backup_item;
"""

GUARDS = """
CREATE FUNCTION restores_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% %: %', TG_TABLE_NAME, OLD.id, TG_ARGV[0]
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER restores_move_forward BEFORE UPDATE OF status ON restore_runs FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT (
        OLD.status = 'previewing' AND NEW.status IN ('previewed', 'ended')
        OR OLD.status = 'previewed' AND NEW.status IN ('executing', 'ended')
        OR OLD.status = 'executing' AND NEW.status = 'ended'))
    EXECUTE FUNCTION restores_refuse('a status that was left is never entered again');

CREATE TRIGGER restores_are_as_requested
    BEFORE UPDATE OF workspace_id, tenant_id, assignments, access_state, requested_by_name,
                     created_at, retry_of_id, backup_set_id
    ON restore_runs FOR EACH ROW
    WHEN ((OLD.workspace_id, OLD.tenant_id, OLD.assignments, OLD.access_state,
           OLD.requested_by_name, OLD.created_at)
          IS DISTINCT FROM
          (NEW.workspace_id, NEW.tenant_id, NEW.assignments, NEW.access_state,
           NEW.requested_by_name, NEW.created_at)
          OR NEW.retry_of_id IS NOT NULL AND OLD.retry_of_id IS DISTINCT FROM NEW.retry_of_id
          OR NEW.backup_set_id IS NOT NULL AND OLD.backup_set_id IS DISTINCT FROM NEW.backup_set_id)
    EXECUTE FUNCTION restores_refuse('what was asked for is written once');

CREATE TRIGGER restores_preview_is_bound BEFORE UPDATE OF preview_digest ON restore_runs
    FOR EACH ROW
    WHEN (OLD.status <> 'previewing' AND OLD.preview_digest IS DISTINCT FROM NEW.preview_digest)
    EXECUTE FUNCTION restores_refuse('what was previewed is written once');

CREATE TRIGGER restores_approval_is_of_another BEFORE UPDATE OF approved_by_id ON restore_runs
    FOR EACH ROW
    WHEN (NEW.approved_by_id IS NOT NULL AND NEW.approved_by_id = NEW.requested_by_id
          OR OLD.approved_at IS NOT NULL AND NEW.approved_by_id IS NOT NULL
             AND OLD.approved_by_id IS DISTINCT FROM NEW.approved_by_id)
    EXECUTE FUNCTION restores_refuse('a second person approves, once');

CREATE TRIGGER restores_are_kept BEFORE DELETE ON restore_runs FOR EACH ROW
    WHEN (OLD.executed_at IS NOT NULL)
    EXECUTE FUNCTION restores_refuse('what was written to a tenant is history');

CREATE FUNCTION restore_items_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    restore restore_runs;
BEGIN
    SELECT * INTO restore FROM restore_runs WHERE id = OLD.restore_id;
    IF (OLD.restore_id, OLD.kind, OLD.graph_id, OLD.name)
            IS DISTINCT FROM (NEW.restore_id, NEW.kind, NEW.graph_id, NEW.name) THEN
        RAISE EXCEPTION 'restore item %: what was asked for is written once', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF restore.status <> 'previewing' AND (OLD.action, OLD.reason_code, OLD.target_id,
            OLD.live_hash, OLD.wanted_hash) IS DISTINCT FROM (NEW.action, NEW.reason_code,
            NEW.target_id, NEW.live_hash, NEW.wanted_hash) THEN
        RAISE EXCEPTION 'restore item %: what was previewed is written once', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF restore.status NOT IN ('previewing', 'previewed') AND OLD.choice <> NEW.choice THEN
        RAISE EXCEPTION 'restore item %: it was decided before', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state <> NEW.state AND (restore.status <> 'executing' OR NOT (
            OLD.state = 'planned' AND NEW.state IN ('intent', 'failed', 'skipped')
            OR OLD.state = 'intent' AND NEW.state IN ('applied', 'failed', 'unknown')
            OR OLD.state = 'applied' AND NEW.state IN ('verified', 'differs', 'unknown')))
    THEN
        RAISE EXCEPTION 'restore item %: % cannot become % while its restore is %', OLD.id,
            OLD.state, NEW.state, restore.status USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state IN ('verified', 'differs', 'unknown', 'failed', 'skipped') AND (OLD.before_hash,
            OLD.after_hash, OLD.result_id, OLD.outcome_code, OLD.settled_at) IS DISTINCT FROM
            (NEW.before_hash, NEW.after_hash, NEW.result_id, NEW.outcome_code, NEW.settled_at) THEN
        RAISE EXCEPTION 'restore item %: what became of it is history', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION restore_items_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM restore_runs WHERE id = OLD.restore_id AND executed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'restore item %: what was written to a tenant is history', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER restore_items_are_kept BEFORE DELETE ON restore_items FOR EACH ROW
    EXECUTE FUNCTION restore_items_are_kept();

CREATE TRIGGER restore_items_guard BEFORE UPDATE ON restore_items FOR EACH ROW
    EXECUTE FUNCTION restore_items_guard();
"""

DROP_GUARDS = """
DROP FUNCTION restores_refuse CASCADE;
DROP FUNCTION restore_items_guard CASCADE;
DROP FUNCTION restore_items_are_kept CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("restores", "0001_initial")]

    operations = [
        composite_tenant_fk("restore_runs"),
        migrations.RunSQL(KEYS, DROP_KEYS),
        migrations.RunSQL(GUARDS, DROP_GUARDS),
    ]
