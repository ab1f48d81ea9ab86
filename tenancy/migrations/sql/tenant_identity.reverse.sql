DROP FUNCTION tenants_reject CASCADE;
