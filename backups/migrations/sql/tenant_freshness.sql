-- When the last complete backup of each tenant ended, and the status of its latest set. Pages read them
-- for all tenants of a workspace, whose newest sets are far apart in the indexes of a long table.

-- As for other tables of tenants, except that the application cannot delete rows of this one.
ALTER TABLE backup_freshness ADD CONSTRAINT backup_freshness_tenant_of_workspace
    FOREIGN KEY (tenant_id, workspace_id) REFERENCES tenants (id, workspace_id)
    ON DELETE CASCADE DEFERRABLE INITIALLY IMMEDIATE;

-- Determine both again for these tenants. The lock comes first: of two sets of a tenant that end at the
-- same time, the second one then sees the first.
CREATE FUNCTION backup_freshness_update(tenant_ids bigint[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.backup_freshness (tenant_id, workspace_id)
    SELECT id, workspace_id FROM public.tenants WHERE id = ANY (tenant_ids) ORDER BY id
    ON CONFLICT (tenant_id) DO UPDATE SET workspace_id = excluded.workspace_id;
    UPDATE public.backup_freshness freshness
    SET last_complete_at = (
            SELECT ended_at FROM public.backup_sets backup_set
            WHERE backup_set.workspace_id = freshness.workspace_id
              AND backup_set.tenant_id = freshness.tenant_id
              AND status = 'complete' AND purpose = 'schedule'
            ORDER BY ended_at DESC LIMIT 1),
        latest_status = COALESCE((
            SELECT status FROM public.backup_sets backup_set
            WHERE backup_set.tenant_id = freshness.tenant_id
              AND status <> 'building' AND purpose = 'schedule'
            ORDER BY started_at DESC, id DESC LIMIT 1), '')
    WHERE tenant_id = ANY (tenant_ids);
END $$;

REVOKE ALL ON FUNCTION backup_freshness_update(bigint[]) FROM PUBLIC;

CREATE FUNCTION backup_sets_update_freshness() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM public.backup_freshness_update(
        ARRAY[CASE TG_OP WHEN 'DELETE' THEN OLD.tenant_id ELSE NEW.tenant_id END]);
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION backup_sets_update_freshness() FROM PUBLIC;

CREATE TRIGGER sets_inserted_update_freshness AFTER INSERT ON backup_sets FOR EACH ROW
    WHEN (NEW.status <> 'building' AND NEW.purpose = 'schedule')
    EXECUTE FUNCTION backup_sets_update_freshness();

CREATE TRIGGER sets_changed_update_freshness AFTER UPDATE ON backup_sets FOR EACH ROW
    WHEN (NEW.purpose = 'schedule' AND (OLD.status, OLD.started_at, OLD.ended_at)
          IS DISTINCT FROM (NEW.status, NEW.started_at, NEW.ended_at))
    EXECUTE FUNCTION backup_sets_update_freshness();

CREATE TRIGGER sets_deleted_update_freshness AFTER DELETE ON backup_sets FOR EACH ROW
    WHEN (OLD.status <> 'building' AND OLD.purpose = 'schedule')
    EXECUTE FUNCTION backup_sets_update_freshness();

-- No set can end before this transaction does: the triggers lock the table.
SELECT backup_freshness_update(ARRAY(SELECT id FROM tenants));
