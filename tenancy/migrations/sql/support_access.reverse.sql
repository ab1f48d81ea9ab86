DROP FUNCTION support_accesses_keep CASCADE;
DROP FUNCTION support_accesses_guard CASCADE;
DROP FUNCTION support_accesses_begin CASCADE;
