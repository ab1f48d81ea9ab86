-- No role but the owner of the database creates temporary tables: they take the place of tables in
-- statements that do not name a schema. Elsewhere the owner of the database must run this once.

DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END $$;
