ALTER TABLE restore_items
    DROP CONSTRAINT restore_items_version,
    DROP CONSTRAINT restore_items_backup_item;
