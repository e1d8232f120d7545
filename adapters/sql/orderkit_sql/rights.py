"""Owners and grants of tables and views that are made anew: what somebody granted by hand is there afterwards, and nothing else.

A grant goes with its table, so it is noted before the table goes, in a setting of the session, and given after another is there. Both
are plain SQL, since a migration can be printed. Who granted is not kept: afterwards the owner did.
"""

from __future__ import annotations

from collections.abc import Iterable


def noted(setting: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return what notes the owner and the grants of the first of each pair, if it is there, for the second."""
    values = ", ".join(f"('{source}', '{target}')" for source, target in pairs)
    return f"""DO $$ BEGIN
  PERFORM set_config('{setting}', coalesce(jsonb_agg(r), '[]')::text, false) FROM (
    WITH t AS (SELECT c.oid, c.relacl, c.relowner, p.target FROM (VALUES {values}) AS p(source, target)
      JOIN pg_class AS c ON c.oid = to_regclass(p.source))
    SELECT t.target, pg_get_userbyid(t.relowner) AS owner, g.col, g.privilege_type AS what, g.is_grantable AS again,
      CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END AS who
    FROM t LEFT JOIN LATERAL (
      SELECT NULL AS col, a.* FROM aclexplode(t.relacl) AS a
      UNION ALL SELECT attname, a.* FROM pg_attribute, aclexplode(attacl) AS a WHERE attrelid = t.oid
    ) AS g ON g.grantee <> t.relowner
  ) AS r;
END $$"""


def given(setting: str) -> str:
    """Return what gives the noted rights to the new tables and takes all others, such as those that a new table has by default.

    A column that is gone is passed over, and an owner that we may not make one.
    """
    return f"""DO $$ DECLARE statement text; BEGIN
  FOR statement IN
    WITH noted AS (SELECT r.*, to_regclass(target) AS id FROM jsonb_to_recordset(current_setting('{setting}')::jsonb)
      AS r(target text, owner name, col name, what text, again boolean, who text) WHERE to_regclass(target) IS NOT NULL)
    SELECT said FROM (
      SELECT DISTINCT 1, format('ALTER TABLE %s OWNER TO %I', target, owner) FROM noted WHERE pg_has_role(owner, 'MEMBER')
      UNION ALL SELECT DISTINCT 2, format('REVOKE ALL ON %s FROM %s', target,
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
        FROM noted JOIN pg_class AS c ON c.oid = id, aclexplode(c.relacl) AS a WHERE a.grantee <> c.relowner
      UNION ALL SELECT 3, format('GRANT %s %s ON %s TO %s%s', what, '(' || quote_ident(col) || ')', target, who,
        CASE WHEN again THEN ' WITH GRANT OPTION' END)
        FROM noted WHERE who IS NOT NULL AND (col IS NULL OR EXISTS (
          SELECT FROM pg_attribute WHERE attrelid = id AND attname = col AND NOT attisdropped))
    ) AS s(step, said) ORDER BY step
  LOOP EXECUTE statement; END LOOP;
  PERFORM set_config('{setting}', '', false);
END $$"""
