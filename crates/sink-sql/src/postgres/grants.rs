//! Reads the rights on tables and views, as the statements that grant them.

use super::connection::PgConnection;
use super::failure::SqlFailure;

/// The rights on the schema and on its tables and views, as statements for the schema `$2`.
const GRANTS: &str = "
    select format('grant %s on schema %I to %s', a.privilege_type, $2::text,
                  case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end)
    from pg_namespace n, aclexplode(n.nspacl) a where n.nspname = $1::text
    union all
    select format('grant %s on %I.%I to %s', a.privilege_type, $2::text, c.relname,
                  case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a
    where n.nspname = $1::text and c.relkind in ('r', 'p', 'v', 'm') and exists (
        select 1 from pg_class f join pg_namespace fn on fn.oid = f.relnamespace
        where fn.nspname = $2::text and f.relname = c.relname)";

/// The rights on the views of the schema `$1`.
const VIEW_GRANTS: &str = "
    select format('grant %s on %I.%I to %s', a.privilege_type, n.nspname, c.relname,
                  case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a
    where n.nspname = $1::text and c.relkind in ('v', 'm')";

impl PgConnection {
    /// Returns the statements that grant the rights on the schema `from`, its tables and its views for the schema
    /// `to`, for relations that `to` has too.
    pub(super) async fn grants(&self, from: &str, to: &str) -> Result<Vec<String>, SqlFailure> {
        let rows = self.client.query(GRANTS, &[&from, &to]).await?;
        let grants = rows.iter().map(|row| Ok(row.try_get(0)?));
        grants.collect()
    }

    /// Returns the statements that grant the rights on the views of a schema.
    pub(super) async fn view_grants(&self, schema: &str) -> Result<Vec<String>, SqlFailure> {
        let rows = self.client.query(VIEW_GRANTS, &[&schema]).await?;
        let grants = rows.iter().map(|row| Ok(row.try_get(0)?));
        grants.collect()
    }
}
