-- The use of a passkey raises its counter, which is no entry. Every other change is one, for example a
-- secret or a counter that someone sets with SQL.

CREATE TRIGGER audited_changes AFTER UPDATE ON mfa_authenticator FOR EACH ROW
    WHEN ((OLD.user_id, OLD.type, OLD.data - 'counter')
              IS DISTINCT FROM (NEW.user_id, NEW.type, NEW.data - 'counter')
          OR (NEW.data ->> 'counter')::bigint < (OLD.data ->> 'counter')::bigint)
    EXECUTE FUNCTION audit_record_change('{"name": "user_id>users.id.username", "workspace": "user_id>memberships.user_id.workspace_id", "secrets": ["data"]}');
