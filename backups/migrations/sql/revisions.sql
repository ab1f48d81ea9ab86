-- The revisions of a schedule follow each other without overlap, never change after their end, and
-- go with their schedule. An unpaused schedule has one open revision with its times, a paused
-- schedule has none: so the slots that had to run are known for every moment.

ALTER TABLE backup_schedule_revisions ADD CONSTRAINT revisions_of_schedule
    FOREIGN KEY (schedule_id) REFERENCES backup_schedules (id) ON DELETE CASCADE
    DEFERRABLE INITIALLY IMMEDIATE;

CREATE FUNCTION backup_revisions_reject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'revision % of schedule %: %', OLD.number, OLD.schedule_id, TG_ARGV[0]
        USING ERRCODE = 'restrict_violation';
END $$;

-- Deleted users are removed from a revision; nothing else of it changes, except its end, once.
CREATE TRIGGER revisions_never_change BEFORE UPDATE ON backup_schedule_revisions FOR EACH ROW
    WHEN ((OLD.id, OLD.schedule_id, OLD.number, OLD.cron, OLD.timezone, OLD.rules_version,
           OLD.valid_from, OLD.reason, OLD.old_next_slot, OLD.new_next_slot)
          IS DISTINCT FROM
          (NEW.id, NEW.schedule_id, NEW.number, NEW.cron, NEW.timezone, NEW.rules_version,
           NEW.valid_from, NEW.reason, NEW.old_next_slot, NEW.new_next_slot)
          OR NEW.changed_by_id IS NOT NULL AND OLD.changed_by_id IS DISTINCT FROM NEW.changed_by_id
          OR OLD.valid_until IS NOT NULL
             AND ((OLD.valid_until, OLD.end_reason) IS DISTINCT FROM
                  (NEW.valid_until, NEW.end_reason)
                  OR NEW.ended_by_id IS NOT NULL
                     AND OLD.ended_by_id IS DISTINCT FROM NEW.ended_by_id))
    EXECUTE FUNCTION backup_revisions_reject('a revision cannot be changed');

CREATE FUNCTION backup_revisions_require_schedule_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM backup_schedules WHERE id = OLD.schedule_id) THEN
        RAISE EXCEPTION 'revision % of schedule %: a revision cannot be deleted',
            OLD.number, OLD.schedule_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER revisions_go_with_their_schedule BEFORE DELETE ON backup_schedule_revisions
    FOR EACH ROW EXECUTE FUNCTION backup_revisions_require_schedule_gone();

CREATE FUNCTION backup_revisions_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number > 1 AND NOT EXISTS (
        SELECT FROM backup_schedule_revisions previous
        WHERE previous.schedule_id = NEW.schedule_id AND previous.number = NEW.number - 1
          AND previous.valid_until <= NEW.valid_from)
    OR NEW.number < 1 THEN
        RAISE EXCEPTION 'revision % of schedule %: it does not follow an ended revision',
            NEW.number, NEW.schedule_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER revisions_follow_each_other BEFORE INSERT ON backup_schedule_revisions
    FOR EACH ROW EXECUTE FUNCTION backup_revisions_follow();

-- At the end of the transaction, because a change writes both tables.
CREATE FUNCTION backup_schedules_check_revision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked bigint := CASE TG_TABLE_NAME WHEN 'backup_schedules' THEN (to_jsonb(NEW)->>'id')::bigint
                      ELSE (to_jsonb(NEW)->>'schedule_id')::bigint END;
BEGIN
    IF EXISTS (
        SELECT FROM backup_schedules schedule
        LEFT JOIN backup_schedule_revisions revision
            ON revision.schedule_id = schedule.id AND revision.valid_until IS NULL
        WHERE schedule.id = checked
          AND CASE WHEN schedule.paused_at IS NULL
              THEN (schedule.cron, schedule.timezone) IS DISTINCT FROM
                   (revision.cron, revision.timezone)
              ELSE revision.id IS NOT NULL END)
    THEN
        RAISE EXCEPTION 'schedule %: its open revision does not match its times', checked
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER schedules_match_their_revision
    AFTER INSERT OR UPDATE OF cron, timezone, paused_at ON backup_schedules
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION backup_schedules_check_revision();

CREATE CONSTRAINT TRIGGER revisions_match_their_schedule
    AFTER INSERT OR UPDATE ON backup_schedule_revisions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION backup_schedules_check_revision();
