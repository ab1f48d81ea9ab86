-- No restore is deleted, executed or not: it says who wanted which change, and who approved it.

DROP TRIGGER restores_executed_not_deleted ON restore_runs;
CREATE TRIGGER restores_are_kept BEFORE DELETE ON restore_runs FOR EACH ROW
    EXECUTE FUNCTION restores_reject('a restore cannot be deleted');

DROP TRIGGER restore_items_executed_not_deleted ON restore_items;
DROP FUNCTION restore_items_executed_not_deleted();
CREATE TRIGGER restore_items_are_kept BEFORE DELETE ON restore_items FOR EACH ROW
    EXECUTE FUNCTION restores_reject('an item of a restore cannot be deleted');

CREATE TRIGGER restores_no_truncate BEFORE TRUNCATE ON restore_runs
    EXECUTE FUNCTION operation_history_reject();

CREATE TRIGGER restore_items_no_truncate BEFORE TRUNCATE ON restore_items
    EXECUTE FUNCTION operation_history_reject();
