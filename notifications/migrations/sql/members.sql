-- Rules, notifications and deliveries of a member leave with the membership, and concern only what
-- belongs to its workspace.

ALTER TABLE notification_rules ADD CONSTRAINT notification_rules_owner_is_a_member
    FOREIGN KEY (owner_id, workspace_id) REFERENCES memberships (user_id, workspace_id)
    ON DELETE CASCADE;

ALTER TABLE notification_rules ADD CONSTRAINT notification_rules_schedule_of_its_tenant
    FOREIGN KEY (schedule_id, tenant_id) REFERENCES backup_schedules (id, tenant_id);

ALTER TABLE notifications ADD CONSTRAINT notifications_user_is_a_member
    FOREIGN KEY (user_id, workspace_id) REFERENCES memberships (user_id, workspace_id)
    ON DELETE CASCADE;

ALTER TABLE notifications ADD CONSTRAINT notifications_event_of_workspace
    FOREIGN KEY (event_id, workspace_id) REFERENCES notification_events (id, workspace_id)
    ON DELETE CASCADE;

ALTER TABLE notification_deliveries ADD CONSTRAINT notification_deliveries_user_is_a_member
    FOREIGN KEY (user_id, workspace_id) REFERENCES memberships (user_id, workspace_id)
    ON DELETE CASCADE;

ALTER TABLE notification_deliveries ADD CONSTRAINT notification_deliveries_event_of_workspace
    FOREIGN KEY (event_id, workspace_id) REFERENCES notification_events (id, workspace_id)
    ON DELETE CASCADE;
