-- Backup retention can delete the version or item that a restore item refers to.
-- The restore item keeps its row without content, which blocks it.

ALTER TABLE restore_items
    ADD CONSTRAINT restore_items_version FOREIGN KEY (version_id)
        REFERENCES policy_versions (id) ON DELETE SET NULL,
    ADD CONSTRAINT restore_items_backup_item FOREIGN KEY (backup_item_id)
        REFERENCES backup_items (id) ON DELETE SET NULL;
