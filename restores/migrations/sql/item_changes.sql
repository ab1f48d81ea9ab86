-- An item keeps its request, its preview, its approved decision and its result.
-- Its state moves forward only while its restore is executing.

CREATE FUNCTION restore_items_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    restore restore_runs;
BEGIN
    SELECT * INTO restore FROM restore_runs WHERE id = OLD.restore_id;
    IF (OLD.restore_id, OLD.kind, OLD.graph_id, OLD.name)
            IS DISTINCT FROM (NEW.restore_id, NEW.kind, NEW.graph_id, NEW.name) THEN
        RAISE EXCEPTION 'restore item %: its request cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF restore.status <> 'previewing' AND (OLD.action, OLD.reason_code, OLD.target_id,
            OLD.live_hash, OLD.expected_hash) IS DISTINCT FROM (NEW.action, NEW.reason_code,
            NEW.target_id, NEW.live_hash, NEW.expected_hash) THEN
        RAISE EXCEPTION 'restore item %: its preview cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF restore.status NOT IN ('previewing', 'previewed') AND OLD.decision <> NEW.decision THEN
        RAISE EXCEPTION 'restore item %: decisions cannot be changed after the preview', OLD.id
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
            OLD.after_hash, OLD.result_id, OLD.outcome_code, OLD.ended_at) IS DISTINCT FROM
            (NEW.before_hash, NEW.after_hash, NEW.result_id, NEW.outcome_code, NEW.ended_at) THEN
        RAISE EXCEPTION 'restore item %: its result cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER restore_items_guard BEFORE UPDATE ON restore_items FOR EACH ROW
    EXECUTE FUNCTION restore_items_guard();

CREATE FUNCTION restore_items_decision_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM restore_runs WHERE id = OLD.restore_id AND approved_at IS NOT NULL) THEN
        RAISE EXCEPTION 'restore item %: decisions cannot be changed after approval', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER restore_items_decision_is_fixed BEFORE UPDATE OF decision ON restore_items
    FOR EACH ROW WHEN (OLD.decision IS DISTINCT FROM NEW.decision)
    EXECUTE FUNCTION restore_items_decision_guard();
