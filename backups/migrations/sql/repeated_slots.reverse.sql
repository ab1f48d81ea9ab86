DROP FUNCTION operation_runs_check_repeated CASCADE;
DROP TRIGGER runs_identity_is_fixed ON operation_runs;
CREATE TRIGGER runs_identity_is_fixed
    BEFORE UPDATE OF id, workspace_id, tenant_id, type, run_identity_hash, context, created_at,
                     initiator_name
    ON operation_runs FOR EACH ROW
    WHEN ((OLD.id, OLD.workspace_id, OLD.tenant_id, OLD.type, OLD.run_identity_hash, OLD.context,
           OLD.created_at, OLD.initiator_name)
          IS DISTINCT FROM
          (NEW.id, NEW.workspace_id, NEW.tenant_id, NEW.type, NEW.run_identity_hash, NEW.context,
           NEW.created_at, NEW.initiator_name))
    EXECUTE FUNCTION operation_runs_reject('type, scope, identity and context cannot be changed');
