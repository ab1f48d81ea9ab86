"""A warning beside a plan; and nobody decides after the approval, or rewrites what has ended."""

from django.db import migrations, models

GUARDS = """
CREATE TRIGGER restores_are_approved_at_their_preview
    BEFORE UPDATE OF approved_at ON restore_runs FOR EACH ROW
    WHEN (OLD.approved_at IS DISTINCT FROM NEW.approved_at AND OLD.status <> 'previewed')
    EXECUTE FUNCTION restores_refuse('only what was previewed is approved');

CREATE TRIGGER restores_end_once
    BEFORE UPDATE OF is_dry_run, previewed_at, executed_at, ended_at, before_set_id, preview_run_id,
                     execute_run_id ON restore_runs FOR EACH ROW
    WHEN (OLD.status = 'ended' AND (
        (OLD.is_dry_run, OLD.previewed_at, OLD.executed_at, OLD.ended_at)
            IS DISTINCT FROM (NEW.is_dry_run, NEW.previewed_at, NEW.executed_at, NEW.ended_at)
        OR NEW.before_set_id IS NOT NULL AND OLD.before_set_id IS DISTINCT FROM NEW.before_set_id
        OR NEW.preview_run_id IS NOT NULL AND OLD.preview_run_id IS DISTINCT FROM NEW.preview_run_id
        OR NEW.execute_run_id IS NOT NULL
           AND OLD.execute_run_id IS DISTINCT FROM NEW.execute_run_id))
    EXECUTE FUNCTION restores_refuse('what has ended is history');

CREATE FUNCTION restore_items_choice_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM restore_runs WHERE id = OLD.restore_id AND approved_at IS NOT NULL) THEN
        RAISE EXCEPTION 'restore item %: it was approved as it is', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER restore_items_are_approved_as_decided BEFORE UPDATE OF choice ON restore_items
    FOR EACH ROW WHEN (OLD.choice IS DISTINCT FROM NEW.choice)
    EXECUTE FUNCTION restore_items_choice_guard();

CREATE FUNCTION restore_items_are_asked_for() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM restore_runs WHERE id = NEW.restore_id AND status <> 'previewing') THEN
        RAISE EXCEPTION 'restore %: what was asked for is written once', NEW.restore_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER restore_items_are_asked_for BEFORE INSERT ON restore_items FOR EACH ROW
    EXECUTE FUNCTION restore_items_are_asked_for();
"""

DROP_GUARDS = """
DROP TRIGGER restores_are_approved_at_their_preview ON restore_runs;
DROP TRIGGER restores_end_once ON restore_runs;
DROP FUNCTION restore_items_choice_guard CASCADE;
DROP FUNCTION restore_items_are_asked_for CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("restores", "0003_next_steps")]

    operations = [
        migrations.AddField(
            model_name="restoreitem",
            name="warning",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.RunSQL(GUARDS, DROP_GUARDS),
    ]
