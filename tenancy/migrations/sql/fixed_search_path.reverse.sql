ALTER FUNCTION tenants_reject() RESET search_path;
