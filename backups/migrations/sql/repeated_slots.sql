-- Of the context of a run, only `repeated` can change: a blocked run of a slot also stands for the
-- slots after it that were blocked for the same reason. Their number and the last one only grow.

DROP TRIGGER runs_identity_is_fixed ON operation_runs;

CREATE TRIGGER runs_identity_is_fixed
    BEFORE UPDATE OF id, workspace_id, tenant_id, type, run_identity_hash, context, created_at,
                     initiator_name
    ON operation_runs FOR EACH ROW
    WHEN ((OLD.id, OLD.workspace_id, OLD.tenant_id, OLD.type, OLD.run_identity_hash,
           OLD.context - 'repeated', OLD.created_at, OLD.initiator_name)
          IS DISTINCT FROM
          (NEW.id, NEW.workspace_id, NEW.tenant_id, NEW.type, NEW.run_identity_hash,
           NEW.context - 'repeated', NEW.created_at, NEW.initiator_name))
    EXECUTE FUNCTION operation_runs_reject('type, scope, identity and context cannot be changed');

CREATE FUNCTION operation_runs_check_repeated() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    slot text := OLD.context->>'scheduled_for';
    old_repeated jsonb := COALESCE(
        OLD.context->'repeated', jsonb_build_object('slots', 1, 'first', slot, 'last', slot));
    new_repeated jsonb := COALESCE(NEW.context->'repeated', '{}');
BEGIN
    -- UTC minutes sort as text in the same order as in time.
    IF OLD.outcome = 'blocked' AND NEW.outcome = 'blocked' AND slot IS NOT NULL
       AND new_repeated - ARRAY['slots', 'first', 'last'] = '{}'
       AND new_repeated->'first' = old_repeated->'first'
       AND jsonb_typeof(new_repeated->'slots') = 'number'
       AND (new_repeated->'slots') = to_jsonb((new_repeated->>'slots')::numeric::bigint)
       AND (new_repeated->>'slots')::numeric > (old_repeated->>'slots')::numeric
       AND new_repeated->>'last' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\dZ$'
       AND (new_repeated->>'last') COLLATE "C" > (old_repeated->>'last') COLLATE "C"
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'operation run %: only its repeated slots can grow, if it is blocked', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER runs_repeated_slots_grow BEFORE UPDATE OF context ON operation_runs FOR EACH ROW
    WHEN (OLD.context->'repeated' IS DISTINCT FROM NEW.context->'repeated')
    EXECUTE FUNCTION operation_runs_check_repeated();
