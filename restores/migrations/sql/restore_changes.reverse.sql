DROP FUNCTION restores_refuse CASCADE;
