DROP FUNCTION restores_reject CASCADE;
