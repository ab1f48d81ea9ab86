DROP FUNCTION tenants_refuse CASCADE;
